import * as z from 'zod';
import {agentCalls, type AgentCallName} from '@switchyard/shared/domain/agent-call.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** The name under which agents see our tools. */
export const TOOL_SERVER = 'switchyard';
/** Before the names of our tools, where questions for permission are about one of them. */
export const OUR_PREFIX = `mcp__${TOOL_SERVER}__`;

/** What an agent can ask of Switchyard itself. The descriptions are read by models. */
const tools = {
  report_progress: {
    description: 'Tell the people who wait for this task, in one sentence, what was reached and what comes next.',
    input: z.strictObject({text: z.string().min(1).max(2_000)}),
  },
  ask_person: {
    description:
      'Ask the people who wait for this task a question that only they can answer, and wait for the answer. It may take days: decide by yourself whatever you can. Asked again, the same question goes on waiting.',
    input: z.strictObject({question: z.string().min(1).max(10_000)}),
  },
  ...agentCalls,
} as const;

export type OurTool = keyof typeof tools;
export type OurToolCall = {
  readonly [Name in OurTool]: {readonly tool: Name; readonly input: z.output<(typeof tools)[Name]['input']>};
}[OurTool];

/** As the Model Context Protocol lists them. */
export const ourTools = Object.entries(tools).map(([name, {description, input}]) => ({
  name,
  description,
  inputSchema: z.toJSONSchema(input, {io: 'input'}),
}));

/** @throws SwitchyardError invalid_request when there is no such tool, or its input is not what it takes */
export function ourToolCall(tool: string, input: unknown): OurToolCall {
  switch (tool) {
    case 'report_progress':
      return {tool, input: checked(tool, tools[tool].input, input)};
    case 'ask_person':
      return {tool, input: checked(tool, tools[tool].input, input)};
    case 'emit_event':
      return {tool, input: checked(tool, tools[tool].input, input)};
    case 'create_subtask':
      return {tool, input: checked(tool, tools[tool].input, input)};
    default:
      throw new SwitchyardError(
        'invalid_request',
        `there is no tool ${tool.slice(0, 100)}; there are ${Object.keys(tools).join(', ')}`,
      );
  }
}

/** Whether the control plane answers a call, and nobody else. */
export function isFleetCall(call: OurToolCall): call is Extract<OurToolCall, {tool: AgentCallName}> {
  return Object.hasOwn(agentCalls, call.tool);
}

function checked<Input>(tool: OurTool, schema: z.ZodType<Input>, input: unknown): Input {
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  throw new SwitchyardError('invalid_request', `${tool}: ${z.prettifyError(read.error).slice(0, 1_000)}`);
}
