import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {freePort} from '../../../runner/src/services/port.ts';
import {atExit} from '../leftovers.ts';
import {nowUs, type Figures} from '../measure.ts';
import {temporaryTree} from '../temporary.ts';
import {repository} from './control-plane.ts';

const main = join(repository, 'runner/bin/switchyard.mjs');
const demoMsMax = 120_000;
const readyMsMax = 60_000;

/** From the launch of `switchyard demo` to its finished task, and what the control plane says of that task. */
export async function runDemo(): Promise<Figures> {
  const beganUs = nowUs();
  const child = launch(['demo', '--json']);
  const line = await firstLine(child, demoMsMax);
  const finishedMs = (nowUs() - beganUs) / 1_000;
  await ended(child);
  const {state, ms} = JSON.parse(line) as {state: string; ms: {queued_to_running: number; total: number}};
  if (state !== 'succeeded') throw new Error(`the task of the demo ended as ${state}`);
  return {finished: finishedMs, queuedToRunning: ms.queued_to_running, task: ms.total};
}

export type Running = {
  readonly readyMs: number;
  /** Resident bytes by the name of the part. */
  readonly memory: () => Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
};

/** `switchyard up` on a state directory of its own. */
export async function runUp(): Promise<Running> {
  const state = temporaryTree('bench-up-');
  const beganUs = nowUs();
  const port = String(await freePort());
  const child = launch(['up', '--json', '--no-first-task', '--state', state.path, '--port', port]);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended(child);
    state.remove();
  };
  try {
    await firstLine(child, readyMsMax);
  } catch (error) {
    await stop();
    throw error;
  }
  return {readyMs: (nowUs() - beganUs) / 1_000, memory: () => memoryBelow(child.pid ?? 0), stop};
}

function launch(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [main, ...args], {stdio: ['ignore', 'pipe', 'inherit']});
  const forget = atExit(() => void child.kill('SIGTERM'));
  child.once('exit', forget);
  return child;
}

async function firstLine(child: ChildProcess, msMax: number): Promise<string> {
  if (child.stdout === null) throw new Error('the output of the process is not a pipe');
  const {promise, resolve, reject} = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error(`nothing was printed within ${msMax} ms`)), msMax);
  createInterface({input: child.stdout}).once('line', resolve);
  child.once('exit', code => reject(new Error(`it ended with ${code ?? 'a signal'} before it printed anything`)));
  return promise.finally(() => clearTimeout(timer));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

const parts: readonly (readonly [name: string, mark: string])[] = [
  ['workerd', 'workerd'],
  ['runner', 'runner start'],
  ['control plane', 'control-plane'],
];

/** Resident memory of the process and all below it. Empty on a system without /proc. */
function memoryBelow(root: number): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const pid of withDescendants(root)) {
    const command = readProc(pid, 'cmdline').replaceAll('\0', ' ');
    const name = parts.find(([, mark]) => command.includes(mark))?.[0] ?? 'supervisor';
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0);
    found[name] = (found[name] ?? 0) + kibibytes * 1_024;
  }
  return found;
}

function withDescendants(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter(each => /^\d+$/.test(each))) {
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(readProc(Number(name), 'status'))?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (pid: number): readonly number[] => [pid, ...(children.get(pid) ?? []).flatMap(below)];
  return below(root);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
