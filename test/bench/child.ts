import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {atExit} from './leftovers.ts';
import {programBundle} from './program-bundle.ts';

/**
 * What a worker process of a side reports: `have` when it holds the item, `start` when it may work on it, `done` when
 * the end was acknowledged; the id, and microseconds of the monotonic clock.
 */
export type Stamp = readonly ['have' | 'start' | 'done' | 'ready', string, number];

export type Child = {
  readonly process: ChildProcess;
  readonly stop: () => Promise<void>;
};

export type Worker = Child & {readonly onStamp: (listener: (stamp: Stamp) => void) => void};

const startMsMax = 20_000;
const stopMsMax = 5_000;

/** A program of this folder as a process of its own, with a channel. Resolves with the first message it sends. */
export async function startChild(
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<Child & {readonly hello: unknown}> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', await programBundle(program)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {...process.env, ...env},
  });
  const forget = atExit(() => void child.kill('SIGKILL'));
  const hello = await firstMessage(child, program).catch((error: unknown) => {
    forget();
    child.kill('SIGKILL');
    throw error;
  });
  return {
    hello,
    process: child,
    stop: async () => {
      forget();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
      await exited;
      clearTimeout(timer);
    },
  };
}

function firstMessage(child: ChildProcess, program: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} said nothing in ${startMsMax} ms`)), startMsMax);
    child.once('message', message => {
      clearTimeout(timer);
      resolve(message);
    });
    child.once('exit', code => {
      clearTimeout(timer);
      reject(new Error(`${program} ended with ${code ?? 'a signal'}`));
    });
  });
}

/** A worker: it reports stamps in batches, so that the channel costs little. Its first one is `ready`. */
export async function startWorker(program: string, env: Readonly<Record<string, string>>): Promise<Worker> {
  const child = await startChild(program, env);
  const listeners: ((stamp: Stamp) => void)[] = [];
  child.process.on('message', stamps => {
    for (const stamp of stamps as readonly Stamp[]) for (const listener of listeners) listener(stamp);
  });
  return {...child, onStamp: listener => void listeners.push(listener)};
}

/** In the worker: collects stamps of one turn of the event loop and sends them together. */
export function stamper(): (stamp: Stamp) => void {
  let pending: Stamp[] = [];
  return stamp => {
    pending.push(stamp);
    if (pending.length > 1) return;
    setImmediate(() => {
      process.send?.(pending);
      pending = [];
    });
  };
}
