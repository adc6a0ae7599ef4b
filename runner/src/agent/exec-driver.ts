import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Driver} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, silent, type LinesState} from './json-lines.ts';

/**
 * Any command: the prompt arrives on standard input, which then ends, and stands in the file that
 * `SWITCHYARD_PROMPT_FILE` names. Standard output is text, or one JSON event per line where the task says so.
 */
export function execDriver(output: 'text' | 'json'): Driver<LinesState> {
  return {
    name: 'exec',
    takesTyping: false,
    initial: linesInitial,
    plan: ({spec, promptPath}) => {
      if (spec.agent.command === undefined)
        throw new SwitchyardError('invalid_request', 'the exec driver needs agent.command');
      return {argv: spec.agent.command, env: {SWITCHYARD_PROMPT_FILE: promptPath}, files: [], stdin: 'prompt'};
    },
    decode: (state, line) => (output === 'json' ? decodeJsonLine(state, line) : {state, events: []}),
    ...silent,
    encode: () => null,
    read: readEnd,
  };
}
