import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';

/**
 * Messages of the Agent Client Protocol, version 1 (https://agentclientprotocol.com): JSON-RPC 2.0, one message a line.
 * Loose: agents add fields and updates of their own.
 */
const text = z.string();
const id = z.union([z.number(), text]);
const count = z.number().nonnegative().nullish();

const content = z.looseObject({type: text, text: text.optional()});
const toolCallFields = {
  toolCallId: text,
  title: text.nullish(),
  kind: text.nullish(),
  status: text.nullish(),
  rawInput: z.record(text, z.unknown()).nullish().catch(null),
  locations: z.array(z.looseObject({path: text})).nullish(),
  /** Of hooks alone. */
  isHeld: z.boolean().optional(),
};
const update = z.union([
  z.looseObject({sessionUpdate: z.enum(['agent_message_chunk', 'agent_thought_chunk']), content}),
  z.looseObject({sessionUpdate: z.enum(['tool_call', 'tool_call_update']), ...toolCallFields}),
  z.looseObject({
    sessionUpdate: z.literal('plan'),
    entries: z.array(z.looseObject({content: text, status: text})),
  }),
  z.looseObject({sessionUpdate: text}),
]);

const answerSchema = z.looseObject({
  id,
  result: z
    .looseObject({
      sessionId: text.optional(),
      stopReason: text.optional(),
      agentCapabilities: z
        .looseObject({
          loadSession: z.boolean().optional(),
          mcpCapabilities: z.looseObject({http: z.boolean().optional()}).nullish(),
        })
        .nullish(),
      agentInfo: z.looseObject({name: text, version: text.optional()}).nullish(),
      usage: z
        .looseObject({inputTokens: count, outputTokens: count, cachedReadTokens: count, cachedWriteTokens: count})
        .nullish(),
    })
    .optional(),
  error: z.looseObject({code: z.number(), message: text}).optional(),
});
const requestSchema = z.looseObject({
  id,
  method: text,
  params: z
    .looseObject({
      toolCall: z.looseObject(toolCallFields).optional(),
      options: z.array(z.looseObject({optionId: text, kind: text})).optional(),
    })
    .optional(),
});
const noteSchema = z.looseObject({method: z.literal('session/update'), params: z.looseObject({update})});

export type AcpAnswer = z.output<typeof answerSchema>;
export type AcpRequest = z.output<typeof requestSchema>;
export type AcpUpdate = z.output<typeof update>;
export type AcpMessage =
  | {readonly kind: 'answer'; readonly answer: AcpAnswer}
  | {readonly kind: 'request'; readonly request: AcpRequest}
  | {readonly kind: 'update'; readonly update: AcpUpdate};

/** A line that is none of these is not for us. */
export function readAcpLine(line: string): AcpMessage | undefined {
  const json = line.startsWith('{') ? parseJson(line) : undefined;
  if (typeof json !== 'object' || json === null) return undefined;
  if (!('method' in json)) {
    const {data} = answerSchema.safeParse(json);
    return data === undefined ? undefined : {kind: 'answer', answer: data};
  }
  if ('id' in json) {
    const {data} = requestSchema.safeParse(json);
    return data === undefined ? undefined : {kind: 'request', request: data};
  }
  const {data} = noteSchema.safeParse(json);
  return data === undefined ? undefined : {kind: 'update', update: data.params.update};
}
