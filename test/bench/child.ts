import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';

/** A worker process of a side: it reports stamps over IPC, in batches, so that the channel costs little. */
export type Stamp = readonly ['start' | 'done' | 'ready' | 'info', string, number];

export type Worker = {
  readonly onStamp: (listener: (stamp: Stamp) => void) => void;
  readonly process: ChildProcess;
  readonly stop: () => Promise<void>;
};

export async function startWorker(program: string, env: Readonly<Record<string, string>>): Promise<Worker> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {...process.env, ...env},
  });
  const listeners: ((stamp: Stamp) => void)[] = [];
  const ready = Promise.withResolvers<void>();
  child.on('message', stamps => {
    for (const stamp of stamps as readonly Stamp[]) {
      if (stamp[0] === 'ready') ready.resolve();
      for (const listener of listeners) listener(stamp);
    }
  });
  child.on('exit', code => ready.reject(new Error(`${program} ended with ${code ?? 'a signal'}`)));
  await ready.promise;
  return {
    process: child,
    onStamp: listener => void listeners.push(listener),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    },
  };
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
