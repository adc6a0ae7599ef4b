import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import type {Answer, Ask} from './driver.ts';
import {ourToolCall, TOOL_SERVER} from './our-tools.ts';

export type ToolGateOptions = {
  readonly spec: TaskSpec;
  /** A line of progress for people. */
  readonly progress: (text: string) => Promise<void>;
};

const OUR_PREFIX = `mcp__${TOOL_SERVER}__`;

/** Answers what the agent of one attempt asks. What is not allowed by name is denied, whatever its program thinks. */
export function toolGate({spec, progress}: ToolGateOptions): (ask: Ask) => Promise<Answer> {
  const allowed: ReadonlySet<string> = new Set(toolsOf(spec.agent));
  return async ask => {
    switch (ask.kind) {
      case 'stop':
        return {kind: 'allow', reason: 'the turn may end'};
      case 'permission':
        if (ask.tool.startsWith(OUR_PREFIX)) return {kind: 'allow', reason: 'a tool of Switchyard'};
        if (allowed.has(ask.tool)) return {kind: 'allow', reason: 'in the profile of this task'};
        return {kind: 'deny', reason: `${ask.tool} is not among the tools of this task: ${[...allowed].join(', ')}`};
      case 'tool':
        return ourTool(ask.tool, ask.input, progress);
    }
  };
}

async function ourTool(tool: string, input: unknown, progress: ToolGateOptions['progress']): Promise<Answer> {
  try {
    const call = ourToolCall(tool, input);
    await progress(call.input.text);
    return {kind: 'result', text: 'The people who wait have been told.', isError: false};
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    return {kind: 'result', text: error.detail, isError: true};
  }
}
