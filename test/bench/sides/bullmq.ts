import {startWorker} from '../child.ts';
import type {DrainQueue} from '../drain.ts';
import {Queue} from '../peers/bullmq.mjs';
import {startRedis, type Fsync} from './redis.ts';

const keptWhenDone = {removeOnComplete: 1_000};

/** BullMQ with its defaults: one producer connection, one worker process with 64 handlers. */
export async function bullmq(fsync: Fsync, {spawnsAgent}: {spawnsAgent: boolean}): Promise<DrainQueue> {
  const redis = await startRedis(fsync);
  const queue = new Queue('bench', {connection: {host: '127.0.0.1', port: redis.port}});
  await queue.waitUntilReady();
  const worker = await startWorker('sides/bullmq-worker.ts', {
    BENCH_REDIS_PORT: String(redis.port),
    BENCH_SPAWN: spawnsAgent ? '1' : '0',
  });
  return {
    name: `BullMQ ${fsync}`,
    add: async payload => String((await queue.add('task', {payload}, keptWhenDone)).id),
    addBulk: async (payload, count) => {
      await queue.addBulk(Array.from({length: count}, () => ({name: 'task', data: {payload}, opts: keptWhenDone})));
    },
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    onStamp: worker.onStamp,
    stop: async () => {
      await worker.stop();
      await queue.close();
      await redis.stop();
    },
  };
}
