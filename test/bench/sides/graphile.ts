import {startWorker} from '../child.ts';
import type {Queue} from '../closed-loop.ts';
import {Logger, makeWorkerUtils} from '../peers/graphile.mjs';
import {startPostgres} from './postgres.ts';

/** graphile-worker with its defaults and 64 handlers, over LISTEN and NOTIFY. */
export async function graphile(): Promise<Queue> {
  const postgres = await startPostgres();
  const tasks = await makeWorkerUtils({
    connectionString: postgres.url,
    logger: new Logger(() => () => undefined),
  });
  await tasks.migrate();
  const worker = await startWorker('sides/graphile-worker.ts', {BENCH_POSTGRES: postgres.url});
  return {
    name: 'graphile-worker',
    add: async payload => (await tasks.addJob('bench', {payload})).id,
    onStamp: worker.onStamp,
    stop: async () => {
      await worker.stop();
      await tasks.release();
      await postgres.stop();
    },
  };
}
