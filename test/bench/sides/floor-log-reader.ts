import {once} from 'node:events';
import {WebSocket} from 'ws';
import {serveReader} from '../reader.ts';

const url = `ws://127.0.0.1:${process.env['BENCH_PORT'] ?? ''}`;

serveReader(
  async (name, onBytes) => {
    const socket = new WebSocket(`${url}/read/${name}`, {perMessageDeflate: false});
    socket.on('message', (data: Buffer) => onBytes(data));
    await once(socket, 'open');
    return () => socket.close(1000);
  },
  {everyLine: process.env['BENCH_EVERY_LINE'] === '1'},
);
