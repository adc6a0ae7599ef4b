import {startChild, startWorker} from '../child.ts';
import type {DrainQueue} from '../drain.ts';
import {poster} from './poster.ts';

/** Plain Node with SQLite: `full` syncs each commit, as workerd does; `normal` leaves that to the system. */
export async function floor(synchronous: 'full' | 'normal'): Promise<DrainQueue> {
  const server = await startChild('sides/floor-server.ts', {BENCH_SYNCHRONOUS: synchronous});
  const port = String(server.hello);
  const worker = await startWorker('sides/floor-worker.ts', {BENCH_PORT: port});
  const post = poster(`http://127.0.0.1:${port}`);
  return {
    name: `floor ${synchronous}`,
    add: async payload => {
      const {text} = await post('/tasks', JSON.stringify([payload]));
      return String((JSON.parse(text) as readonly number[])[0]);
    },
    addBulk: async (payload, count) => {
      await post('/tasks', JSON.stringify(Array.from({length: count}, () => payload)));
    },
    pause: async () => void (await post('/pause', '')),
    resume: async () => void (await post('/resume', '')),
    onStamp: worker.onStamp,
    stop: async () => {
      await worker.stop();
      await server.stop();
    },
  };
}
