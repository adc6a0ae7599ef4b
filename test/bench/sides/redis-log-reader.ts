import {Redis} from '../peers/redis.mjs';
import {serveReader} from '../reader.ts';

const port = Number(process.env['BENCH_REDIS_PORT']);
const blockMs = 200;
const entriesMax = 256;

serveReader(async (key, onBytes) => {
  const redis = new Redis({host: '127.0.0.1', port, maxRetriesPerRequest: null});
  let isOver = false;
  const follow = async (): Promise<void> => {
    let after = '0';
    while (!isOver) {
      const streams = await redis.xreadBuffer('COUNT', entriesMax, 'BLOCK', blockMs, 'STREAMS', key, after);
      for (const [id, [, value]] of streams?.[0]?.[1] ?? []) {
        after = id.toString();
        if (value !== undefined) onBytes(value);
      }
    }
    redis.disconnect();
  };
  void follow();
  return () => {
    isOver = true;
  };
});
