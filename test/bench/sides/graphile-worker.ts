import {stamper} from '../child.ts';
import {nowUs} from '../measure.ts';
import {Logger, run} from '../peers/graphile.mjs';

const stamp = stamper();
const runner = await run({
  connectionString: process.env['BENCH_POSTGRES'] ?? '',
  concurrency: 64,
  maxPoolSize: 10,
  noHandleSignals: true,
  logger: new Logger(() => () => undefined),
  taskList: {
    bench: async (_payload, {job}) => {
      stamp(['start', job.id, nowUs()]);
    },
  },
});
runner.events.on('job:complete', ({job}) => stamp(['done', job.id, nowUs()]));
stamp(['ready', '', 0]);
process.on('SIGTERM', () => void runner.stop().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(1));
