import {once} from 'node:events';
import {WebSocket} from 'ws';
import {startChild} from '../child.ts';
import type {LogSystem} from '../log-loop.ts';
import {startReader} from '../reader.ts';

/** Plain Node: a WebSocket in, a row for each batch with a synced commit, a WebSocket out. */
export async function floorLog(): Promise<LogSystem> {
  const server = await startChild('sides/floor-log-server.ts', {BENCH_STORED: '1'});
  const port = String(server.hello);
  const reader = await startReader('sides/floor-log-reader.ts', {BENCH_PORT: port});
  let logs = 0;
  return {
    name: 'floor full',
    reader,
    open: async () => {
      logs += 1;
      await reader.open(String(logs));
      const socket = new WebSocket(`ws://127.0.0.1:${port}/write/${logs}`, {perMessageDeflate: false});
      await once(socket, 'open');
      let length = 0;
      let waiting: {readonly upTo: number; readonly resolve: () => void}[] = [];
      socket.on('message', (data: Buffer) => {
        const upTo = Number(data.toString());
        for (const each of waiting.filter(each => each.upTo <= upTo)) each.resolve();
        waiting = waiting.filter(each => each.upTo > upTo);
      });
      return {
        write: batch => {
          length += batch.length;
          socket.send(batch);
          return new Promise(resolve => waiting.push({upTo: length, resolve}));
        },
        close: async () => socket.close(1000),
      };
    },
    stop: async () => {
      await reader.stop();
      await server.stop();
    },
  };
}
