import {fileURLToPath} from 'node:url';
import type {Driver} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, silent, type LinesState} from './json-lines.ts';

const program = fileURLToPath(new URL('scripted-agent.ts', import.meta.url));

/** The bundled agent: a real process that follows simple instructions and needs no model. */
export const scriptedDriver: Driver<LinesState> = {
  name: 'scripted',
  takesTyping: true,
  initial: linesInitial,
  plan: ({promptPath, nodePath}) => ({
    argv: [nodePath, '--disable-warning=ExperimentalWarning', program, promptPath],
    env: {SWITCHYARD_PROMPT_FILE: promptPath},
    files: [],
    stdin: 'stream',
  }),
  decode: decodeJsonLine,
  ...silent,
  encode: (_state, command) =>
    command.kind === 'message'
      ? {id: command.id, text: `${JSON.stringify({type: 'message', text: command.text})}\n`, repeat: 'once'}
      : null,
  read: readEnd,
};
