import {createHash} from 'node:crypto';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {logPayloadBytesMax} from '@switchyard/shared/protocol/log-frame.ts';
import {LogSocket} from '../../../runner/src/logs/log-socket.ts';
import {lineBytes} from '../lines.ts';
import type {LogSystem, OpenLog} from '../log-loop.ts';
import {startReader} from '../reader.ts';
import {attemptSource, type AttemptSource} from './bench-attempt.ts';
import type {Held} from './bench-runner.ts';
import {switchyardName} from './switchyard.ts';

/** The shipped log socket of a runner to the shipped task log, and a viewer over its WebSocket. */
export async function switchyardLog(): Promise<LogSystem> {
  const source = await attemptSource();
  const {plane} = source;
  const reader = await startReader('sides/switchyard-log-reader.ts', {
    BENCH_URL: plane.url,
    BENCH_TOKEN: plane.token,
  });
  return {
    name: switchyardName,
    reader,
    open: async () => {
      const held = await source.begin();
      const log = await openSocket(source, held);
      await reader.open(held.task);
      return log;
    },
    stop: async () => {
      await reader.stop();
      await source.stop();
    },
  };
}

type Waiting = {readonly upTo: number; readonly resolve: () => void};

/** A frame holds whole lines: the reader takes the age of the first line of each. */
const frameBytesMax = Math.floor(logPayloadBytesMax / lineBytes) * lineBytes;

async function openSocket(source: AttemptSource, held: Held): Promise<OpenLog> {
  const {url, headers} = source.logAddress(held);
  const greeted = Promise.withResolvers<void>();
  const sealed = Promise.withResolvers<Extract<LogDown, {t: 'sealed'}>>();
  const hash = createHash('sha256');
  let length = 0;
  let waiting: Waiting[] = [];
  const fail = (why: string): void => {
    greeted.reject(new Error(why));
    sealed.reject(new Error(why));
  };
  const acknowledged = (upTo: number): void => {
    for (const each of waiting.filter(each => each.upTo <= upTo)) each.resolve();
    waiting = waiting.filter(each => each.upTo > upTo);
  };
  sealed.promise.catch(() => undefined);
  const socket = new LogSocket(url, await headers(), {
    opened: () => undefined,
    message: message => {
      if (message.t === 'state') greeted.resolve();
      if (message.t === 'ack') acknowledged(message.len);
      if (message.t === 'sealed') sealed.resolve(message);
      if (message.t === 'nack' || message.t === 'gone') fail(`the log answered ${JSON.stringify(message)}`);
    },
    closed: ({why}) => fail(`the log socket ended: ${why}`),
  });
  await greeted.promise;
  return {
    write: batch => {
      hash.update(batch);
      for (let at = 0; at < batch.length; at += frameBytesMax) {
        const piece = batch.subarray(at, at + frameBytesMax);
        socket.sendChunk(length, () => Promise.resolve(piece));
        length += piece.length;
      }
      const written = new Promise<void>(resolve => waiting.push({upTo: length, resolve}));
      return Promise.race([written, sealed.promise.then(() => undefined)]);
    },
    close: async () => {
      const sha256 = hash.digest('hex');
      socket.sendEnd(length, sha256);
      const {receipt} = await sealed.promise;
      await source.link.exit(held, {length, sha256, receipt});
      socket.close('done');
    },
  };
}
