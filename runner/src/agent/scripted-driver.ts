import {fileURLToPath} from 'node:url';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import type {Driver} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, silent, type LinesState} from './json-lines.ts';
import {parseScript, type Instruction} from './script.ts';

const program = fileURLToPath(new URL('scripted-agent.ts', import.meta.url));

/** The bundled agent: a real process that follows simple instructions and needs no model. */
export const scriptedDriver: Driver<LinesState> = {
  name: 'scripted',
  takesTyping: true,
  initial: linesInitial,
  plan: ({prompt, promptPath, nodePath}) => ({
    argv: [nodePath, '--disable-warning=ExperimentalWarning', program, promptPath],
    env: {SWITCHYARD_PROMPT_FILE: promptPath},
    files: [],
    calls: parseScript(prompt).flatMap(callOf),
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

/** What an instruction does, in the words of the tools that other agents have. */
function callOf(instruction: Instruction): readonly ToolCall[] {
  switch (instruction.kind) {
    case 'run':
      return [{tool: 'Bash', input: {command: instruction.argv.join(' ')}}];
    case 'write':
    case 'append':
    case 'replace':
      return [{tool: 'Write', input: {file_path: instruction.path}}];
    case 'say':
    case 'wait':
    case 'await':
      return [];
  }
}
