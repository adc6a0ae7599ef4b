import {spawn} from 'node:child_process';
import {appendFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync} from 'node:fs';
import {dirname, relative, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as wait} from 'node:timers/promises';
import {parseScript, type Instruction} from './script.ts';

/**
 * The bundled scripted agent: `node scripted-agent.ts <prompt file>` in the worktree. It is a process like any other
 * agent: it reads a prompt, changes files, runs programs, reports events as JSON lines and ends with a result.
 */
type Report = (event: {readonly type: string; readonly [field: string]: unknown}) => void;

const report: Report = event => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

const root = realpathSync(process.cwd());

/** A path of the script, kept inside the worktree whatever it says. */
function inside(path: string): string {
  const full = resolve(root, path);
  mkdirSync(dirname(full), {recursive: true});
  const real = resolve(realpathSync(dirname(full)), full.slice(dirname(full).length + 1));
  const from = relative(root, real);
  if (from.startsWith('..') || from === '' || from.split('/').includes('.git'))
    throw new Error(`${path} is outside the worktree`);
  return real;
}

async function run(argv: readonly string[]): Promise<void> {
  const [file, ...rest] = argv;
  if (file === undefined) return;
  const child = spawn(file, rest, {cwd: root, stdio: ['ignore', 'inherit', 'inherit']});
  const code = await new Promise<number | string>(settle => {
    child.on('error', error => settle(error.message));
    child.on('exit', (exitCode, signal) => settle(exitCode ?? signal ?? 'unknown'));
  });
  report({type: 'tool_call_update', title: argv.join(' '), status: code === 0 ? 'completed' : 'failed', exit: code});
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
}

function edit(instruction: Extract<Instruction, {path: string}>): void {
  const path = inside(instruction.path);
  if (instruction.kind === 'write') writeFileSync(path, `${instruction.text}\n`);
  if (instruction.kind === 'append') appendFileSync(path, `${instruction.text}\n`);
  if (instruction.kind === 'replace') {
    const text = readFileSync(path, 'utf8');
    if (!text.includes(instruction.from))
      throw new Error(`${instruction.path} does not hold ${JSON.stringify(instruction.from)}`);
    writeFileSync(path, text.replaceAll(instruction.from, instruction.to));
  }
  report({type: 'tool_call', kind: 'edit', title: `${instruction.kind} ${instruction.path}`});
}

async function follow(instructions: readonly Instruction[], nextMessage: () => Promise<string>): Promise<void> {
  for (const instruction of instructions) {
    switch (instruction.kind) {
      case 'write':
      case 'append':
      case 'replace':
        edit(instruction);
        break;
      case 'run':
        report({type: 'tool_call', kind: 'execute', title: instruction.argv.join(' ')});
        await run(instruction.argv);
        break;
      case 'say':
        report({type: 'agent_message', text: instruction.text});
        break;
      case 'wait':
        await wait(instruction.ms);
        break;
      case 'await':
        report({type: 'agent_message', text: `a person says: ${await nextMessage()}`});
        break;
    }
  }
}

/**
 * Messages arrive on standard input, in order, and are kept until the script asks for one: as JSON lines from the
 * runner, as plain lines from a person who took the session over.
 */
function messages(): () => Promise<string> {
  const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
  return async () => {
    const {value} = await lines.next();
    return messageOf(value ?? '');
  };
}

function messageOf(line: string): string {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null && 'text' in parsed ? String(parsed.text) : line;
  } catch {
    return line;
  }
}

const prompt = readFileSync(process.argv[2] ?? '', 'utf8');
const instructions = parseScript(prompt);
const counted = instructions.length === 1 ? '1 instruction' : `${instructions.length} instructions`;
report({type: 'agent_message', text: `bundled scripted agent: ${counted}, no model is used`});
try {
  const awaits = instructions.some(({kind}) => kind === 'await');
  await follow(instructions, awaits ? messages() : async () => '');
  if (instructions.length === 0) edit({kind: 'append', path: 'SWITCHYARD.md', text: prompt.trim()});
  report({type: 'result', summary: `followed ${counted}`, is_error: false});
  process.exit(0);
} catch (error) {
  report({type: 'result', summary: error instanceof Error ? error.message : String(error), is_error: true});
  process.exit(1);
}
