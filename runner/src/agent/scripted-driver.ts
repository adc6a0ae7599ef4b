import {fileURLToPath} from 'node:url';
import type {Driver} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, type LinesState} from './json-lines.ts';

const program = fileURLToPath(new URL('scripted-agent.ts', import.meta.url));

/** The bundled agent: a real process that follows simple instructions and needs no model. */
export const scriptedDriver: Driver<LinesState> = {
  name: 'scripted',
  initial: linesInitial,
  plan: ({promptPath, nodePath}) => ({
    argv: [nodePath, '--disable-warning=ExperimentalWarning', program, promptPath],
    env: {SWITCHYARD_PROMPT_FILE: promptPath},
    stdin: 'stream',
  }),
  decode: decodeJsonLine,
  encode: ({text}) => `${JSON.stringify({type: 'message', text})}\n`,
  read: readEnd,
};
