import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Driver, ToolAccess} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, silent, type LinesState} from './json-lines.ts';

/**
 * Any command: the prompt arrives on standard input, which then ends, and stands in the file that
 * `SWITCHYARD_PROMPT_FILE` names. Events of its role go as `{"event": …, "data": {…}}` by POST to `SWITCHYARD_EMIT_URL`, with
 * `SWITCHYARD_TOOL_TOKEN` as bearer; our other tools are at `SWITCHYARD_MCP_URL`. Standard output is text, or one JSON event per line where the task says so.
 */
export function execDriver(output: 'text' | 'json'): Driver<LinesState> {
  return {
    name: 'exec',
    takesTyping: false,
    initial: linesInitial,
    plan: ({spec, promptPath, tools}) => {
      if (spec.agent.command === undefined)
        throw new SwitchyardError('invalid_request', 'the exec driver needs agent.command');
      return {
        argv: spec.agent.command,
        env: {SWITCHYARD_PROMPT_FILE: promptPath, ...toolEnvironment(tools)},
        files: [],
        stdin: 'prompt',
      };
    },
    decode: (state, line) => (output === 'json' ? decodeJsonLine(state, line) : {state, events: []}),
    ...silent,
    encode: () => null,
    read: readEnd,
  };
}

const toolEnvironment = ({token, emitUrl, mcpUrl}: ToolAccess): Readonly<Record<string, string>> => ({
  SWITCHYARD_EMIT_URL: emitUrl,
  SWITCHYARD_MCP_URL: mcpUrl,
  SWITCHYARD_TOOL_TOKEN: token,
});
