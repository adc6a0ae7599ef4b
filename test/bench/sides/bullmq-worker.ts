import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {stamper} from '../child.ts';
import {nowUs} from '../measure.ts';
import {Worker} from '../peers/bullmq.mjs';

const stamp = stamper();
const port = Number(process.env['BENCH_REDIS_PORT']);
const spawnsAgent = process.env['BENCH_SPAWN'] === '1';

const worker = new Worker(
  'bench',
  async ({id}) => {
    if (spawnsAgent) {
      const child = spawn('/bin/true', {stdio: 'ignore'});
      await once(child, 'spawn');
      stamp(['start', String(id), nowUs()]);
      await once(child, 'exit');
      return;
    }
    stamp(['start', String(id), nowUs()]);
  },
  {connection: {host: '127.0.0.1', port, maxRetriesPerRequest: null}, concurrency: 64},
);
worker.on('completed', ({id}) => stamp(['done', String(id), nowUs()]));
await worker.waitUntilReady();
stamp(['ready', '', 0]);
process.on('SIGTERM', () => void worker.close(true).then(() => process.exit(0)));
process.on('disconnect', () => process.exit(1));
