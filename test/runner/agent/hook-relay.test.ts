import {spawn, type ChildProcessWithoutNullStreams} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {text as textOf} from 'node:stream/consumers';
import {expect, onTestFinished, test} from 'vitest';
import {OUR_PREFIX} from '../../../runner/src/agent/our-tools.ts';
import {hookFiles, putFile} from '../../../runner/src/agent/acp/hook-files.ts';
import {until} from '../../fixtures/until.ts';

const folder = resolve(import.meta.dirname, '../../../runner/src/agent/acp');

function start(file: string, ...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [join(folder, file), ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** A relay around `cat`, which says every line that it is given. */
async function relay(): Promise<{child: ChildProcessWithoutNullStreams; directory: string; lines: string[]}> {
  const base = mkdtempSync(join(tmpdir(), 'relay-'));
  onTestFinished(() => rmSync(base, {recursive: true, force: true}));
  const directory = join(base, 'hooks');
  mkdirSync(directory);
  putFile(hookFiles.question(directory, 'left-behind'), '{}');
  const child = start('hook-relay.ts', directory, 'cat');
  const lines: string[] = [];
  createInterface({input: child.stdout}).on('line', line => lines.push(line));
  child.stdin.write('hello\n');
  await until('the relay passes lines on', () => lines.includes('hello'));
  return {child, directory, lines};
}

type Ended = {readonly code: number | null; readonly said: string};

function hook(directory: string, call: object): Promise<Ended> {
  const child = start('hook-ask.ts', directory, OUR_PREFIX);
  child.stdin.end(JSON.stringify(call));
  const said = textOf(child.stderr);
  return new Promise(settle => child.once('close', code => void said.then(text => settle({code, said: text}))));
}

const call = {tool_name: 'Bash', tool_use_id: 'call-1', tool_input: {command: 'git tag x'}};

function questionIn(lines: readonly string[]): {id: string; params: unknown} | undefined {
  const line = lines.find(each => each.includes('session/request_permission'));
  return line === undefined ? undefined : (JSON.parse(line) as {id: string; params: unknown});
}

async function asked(lines: readonly string[]): Promise<{id: string; params: unknown}> {
  await until('a question', () => questionIn(lines) !== undefined);
  const question = questionIn(lines);
  if (question === undefined) throw new Error('no question');
  return question;
}

test.for([
  ['allow', 0, ''],
  ['reject', 2, 'the history stays as it is'],
] as const)(
  '[CA32] a hook asks with the words of the agent and ends as it is answered: %s',
  async ([optionId, code, says]) => {
    const {child, directory, lines} = await relay();
    const ended = hook(directory, call);
    const {id, params} = await asked(lines);
    expect(params).toMatchObject({
      toolCall: {toolCallId: 'call-1', kind: 'execute', rawInput: {command: 'git tag x'}},
      options: [
        {optionId: 'allow', kind: 'allow_once'},
        {optionId: 'reject', kind: 'reject_once'},
      ],
    });
    const result = {outcome: {outcome: 'selected', optionId}, _meta: {reason: 'the history stays as it is'}};
    child.stdin.write(`${JSON.stringify({jsonrpc: '2.0', id, result})}\n`);
    const {code: exit, said} = await ended;
    expect(said).toContain(says);
    expect(exit).toBe(code);
    expect(lines.filter(line => line.includes('outcome'))).toEqual([]);
  },
);

test('[CA33] a hook that cannot ask blocks: a relay that is gone, a call that is not understood', async () => {
  const {child, directory, lines} = await relay();
  const ended = hook(directory, call);
  await asked(lines);
  child.kill('SIGKILL');
  expect((await ended).code).toBe(2);
  expect((await hook(directory, {odd: true})).code).toBe(2);
  rmSync(hookFiles.relay(directory));
  expect((await hook(directory, call)).code).toBe(2);
});

test('[CA33] what reaches nothing, and our own tools, need no question', async () => {
  const {directory, lines} = await relay();
  expect(questionIn(lines)).toBe(undefined);
  for (const tool_name of ['update_plan', 'mcp__switchyard__report_progress'])
    expect((await hook(directory, {...call, tool_name})).code).toBe(0);
  expect(questionIn(lines)).toBe(undefined);
});

test('[CA47] an answer that interrupts a turn reaches its hook behind the end of the turn', async () => {
  const {child, directory, lines} = await relay();
  putFile(hookFiles.question(directory, 'one'), '{}');
  const {id} = await asked(lines);
  const say = (message: object): boolean => child.stdin.write(`${JSON.stringify({jsonrpc: '2.0', ...message})}\n`);
  say({method: 'session/cancel', params: {sessionId: 's'}});
  say({id, result: {outcome: {outcome: 'cancelled'}}});
  say({method: 'later'});
  await until('the relay has read the answer', () => lines.some(line => line.includes('later')));
  expect(lines.some(line => line.includes('session/cancel'))).toBe(true);
  expect(existsSync(hookFiles.answer(directory, 'one'))).toBe(false);
  say({id: 3, result: {stopReason: 'cancelled'}});
  await until('the answer', () => existsSync(hookFiles.answer(directory, 'one')));
});
