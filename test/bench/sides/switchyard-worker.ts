import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {stamper} from '../child.ts';
import {nowUs} from '../measure.ts';
import {connectRunner, type Held} from './bench-runner.ts';

/** The worker process of the queue: its work is nothing, or one process. */
const stamp = stamper();
const spawnsAgent = process.env['BENCH_SPAWN'] === '1';

const link = await connectRunner({
  url: process.env['BENCH_URL'] ?? '',
  enrolment: process.env['BENCH_ENROLMENT'] ?? '',
  slots: Number(process.env['BENCH_SLOTS'] ?? '64'),
  onHave: task => stamp(['have', task, nowUs()]),
  onGo: work,
  onDone: task => stamp(['done', task, nowUs()]),
  onClose: why => {
    process.stderr.write(`  bench runner: ${why}\n`);
    process.exit(1);
  },
});

async function work(held: Held): Promise<void> {
  if (!spawnsAgent) stamp(['start', held.task, nowUs()]);
  else {
    const child = spawn('/bin/true', {stdio: 'ignore'});
    await once(child, 'spawn');
    stamp(['start', held.task, nowUs()]);
    await once(child, 'exit');
  }
  await link.exit(held);
}

stamp(['ready', '', 0]);
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
