import {startWorker} from '../child.ts';
import type {Queue} from '../closed-loop.ts';
import {Queue as BullQueue} from '../peers/bullmq.ts';
import {startRedis} from './redis.ts';

/** BullMQ with its defaults: one producer connection, one worker process with 64 handlers. */
export async function bullmq(fsync: 'always' | 'everysec', {spawnsAgent}: {spawnsAgent: boolean}): Promise<Queue> {
  const redis = await startRedis(fsync);
  const queue = new BullQueue('bench', {connection: {host: '127.0.0.1', port: redis.port}});
  await queue.waitUntilReady();
  const worker = await startWorker('sides/bullmq-worker.ts', {
    BENCH_REDIS_PORT: String(redis.port),
    BENCH_SPAWN: spawnsAgent ? '1' : '0',
  });
  return {
    name: `BullMQ ${fsync}`,
    add: async payload => {
      const job = await queue.add('task', {payload}, {removeOnComplete: 1_000});
      return String(job.id);
    },
    onStart: listener => worker.onStamp(([kind, id, atUs]) => kind === 'start' && listener(id, atUs)),
    onDone: listener => worker.onStamp(([kind, id, atUs]) => kind === 'done' && listener(id, atUs)),
    stop: async () => {
      await worker.stop();
      await queue.close();
      await redis.stop();
    },
  };
}
