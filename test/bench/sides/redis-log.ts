import {lineBytes} from '../lines.ts';
import type {LogSystem} from '../log-loop.ts';
import {Redis} from '../peers/redis.mjs';
import {startReader} from '../reader.ts';
import {startRedis, type Fsync} from './redis.ts';

/** A stream that a reader follows with XREAD: one entry for each batch, or the obvious way, one for each line. */
export async function redisLog(fsync: Fsync, per: 'batch' | 'line'): Promise<LogSystem> {
  const server = await startRedis(fsync);
  const writer = new Redis({host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null});
  const reader = await startReader('sides/redis-log-reader.ts', {BENCH_REDIS_PORT: String(server.port)});
  let logs = 0;
  return {
    name: `Redis ${fsync}, entry per ${per}`,
    reader,
    open: async () => {
      logs += 1;
      const key = `log-${logs}`;
      await reader.open(key);
      return {
        write: async batch => {
          const pieces = per === 'batch' ? [batch] : linesOf(batch);
          await Promise.all(pieces.map(piece => writer.xadd(key, '*', 'd', piece)));
        },
        close: async () => void (await writer.unlink(key)),
      };
    },
    stop: async () => {
      await reader.stop();
      writer.disconnect();
      await server.stop();
    },
  };
}

function linesOf(batch: Buffer): readonly Buffer[] {
  return Array.from({length: batch.length / lineBytes}, (_, line) =>
    batch.subarray(line * lineBytes, (line + 1) * lineBytes),
  );
}
