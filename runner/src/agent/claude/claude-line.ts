import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';

/**
 * The lines of `claude -p --output-format stream-json` that mean something here, as version 2.1 writes them. Loose: a
 * newer version adds fields and kinds of lines, and an unknown one is log text.
 */
const text = z.string();
const count = z.number().nonnegative().catch(0);

const toolUse = z.looseObject({type: z.literal('tool_use'), id: text, name: text, input: z.record(text, z.unknown())});
const block = z.union([
  z.looseObject({type: z.literal('text'), text}),
  z.looseObject({type: z.literal('thinking'), thinking: text}),
  toolUse,
  z.looseObject({type: text}),
]);

const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: text,
  is_error: z.boolean().optional(),
  content: z.union([text, z.array(z.looseObject({type: text, text: text.optional()}))]).optional(),
});

const usage = z.looseObject({
  inputTokens: count,
  outputTokens: count,
  cacheReadInputTokens: count,
  cacheCreationInputTokens: count,
});

const hookCallback = z.looseObject({
  subtype: z.literal('hook_callback'),
  callback_id: text,
  input: z.looseObject({
    tool_name: text.optional(),
    tool_input: z.record(text, z.unknown()).optional(),
    tool_use_id: text.optional(),
    agent_id: text.optional(),
  }),
});
const mcpMessage = z.looseObject({
  subtype: z.literal('mcp_message'),
  server_name: text,
  message: z.looseObject({
    id: z.union([z.number(), text]).optional(),
    method: text,
    params: z
      .looseObject({
        name: text.optional(),
        arguments: z.unknown().optional(),
        protocolVersion: text.optional(),
        _meta: z.record(text, z.unknown()).optional(),
      })
      .optional(),
  }),
});
const canUseTool = z.looseObject({
  subtype: z.literal('can_use_tool'),
  tool_name: text,
  input: z.record(text, z.unknown()),
  tool_use_id: text.optional(),
});

const lineSchema = z.union([
  z.looseObject({
    type: z.literal('system'),
    subtype: z.literal('init'),
    session_id: text,
    model: text.optional(),
    claude_code_version: text.optional(),
  }),
  z.looseObject({
    type: z.literal('system'),
    subtype: z.literal('api_retry'),
    attempt: count,
    max_retries: count,
    retry_delay_ms: count,
    error_status: z.number().nullish(),
    error: z.unknown().optional(),
  }),
  z.looseObject({type: z.literal('command_lifecycle'), command_uuid: text, state: text}),
  z.looseObject({type: z.literal('assistant'), message: z.looseObject({content: z.array(block)})}),
  z.looseObject({
    type: z.literal('user'),
    message: z.looseObject({content: z.union([text, z.array(z.union([toolResult, z.looseObject({type: text})]))])}),
  }),
  z.looseObject({
    type: z.literal('control_response'),
    response: z.looseObject({subtype: text, request_id: text, error: text.optional()}),
  }),
  z.looseObject({
    type: z.literal('control_request'),
    request_id: text,
    request: z.union([hookCallback, mcpMessage, canUseTool]),
  }),
  z.looseObject({type: z.literal('control_cancel_request'), request_id: text}),
  z.looseObject({
    type: z.literal('result'),
    subtype: text,
    is_error: z.boolean(),
    terminal_reason: text.nullish(),
    api_error_status: z.number().nullish(),
    num_turns: count,
    result: text.nullish(),
    errors: z.array(text).nullish(),
    total_cost_usd: z.number().nonnegative().nullish(),
    modelUsage: z.record(text, usage).nullish(),
    permission_denials: z.array(z.unknown()).nullish(),
    deferred_tool_use: z.looseObject({id: text, name: text}).nullish(),
  }),
]);

export type ClaudeLine = z.output<typeof lineSchema>;
export type ClaudeResult = Extract<ClaudeLine, {type: 'result'}>;
export type ClaudeRequest = Extract<ClaudeLine, {type: 'control_request'}>;

/** A line that is none of these is not for us. */
export function readClaudeLine(line: string): ClaudeLine | undefined {
  if (!line.startsWith('{')) return undefined;
  const read = lineSchema.safeParse(parseJson(line));
  return read.success ? read.data : undefined;
}
