import {once} from 'node:events';
import {WebSocket} from 'ws';
import {stamper} from '../child.ts';
import {nowUs} from '../measure.ts';

const stamp = stamper();
const socket = new WebSocket(`ws://127.0.0.1:${process.env['BENCH_PORT'] ?? ''}`, {perMessageDeflate: false});
await once(socket, 'open');
socket.on('message', (data: Buffer) => {
  const {offers, acks} = JSON.parse(data.toString()) as {
    offers: readonly {readonly id: number}[];
    acks: readonly number[];
  };
  for (const id of acks) stamp(['done', String(id), nowUs()]);
  for (const {id} of offers) stamp(['start', String(id), nowUs()]);
  if (offers.length > 0) socket.send(JSON.stringify(offers.map(({id}) => id)));
});
stamp(['ready', '', 0]);
process.on('disconnect', () => process.exit(0));
