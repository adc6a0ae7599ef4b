import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {WebSocket} from 'ws';
import {AttemptLog} from '../../../runner/src/attempt/attempt-log.ts';
import {tailFile} from '../../../runner/src/executor/file-tail.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {startChild} from '../child.ts';
import {percentile, type Figures, type Side} from '../measure.ts';
import {startReader, type Reader} from '../reader.ts';
import {temporaryTree} from '../temporary.ts';
import {attemptSource} from './bench-attempt.ts';
import {switchyardName} from './switchyard.ts';

/** How one side brings the file that an agent writes to the reader; resolves when it follows the file. */
type Bring = (file: string, directory: string) => Promise<{readonly end: () => Promise<void>}>;

const bytesPerSecond = 1_000_000;

/** The spool, the upload and the task log as shipped, and a reader over server-sent events. */
export async function switchyardTail(): Promise<Side & {readonly stop: () => Promise<void>}> {
  const source = await attemptSource();
  const {plane, link} = source;
  const reader = await startReader('sides/event-log-reader.ts', {BENCH_URL: plane.url, BENCH_TOKEN: plane.token});
  const bring: Bring = async (file, directory) => {
    const held = await source.begin();
    const {url, headers} = source.logAddress(held);
    const uploading = {url, headers, nowMs: () => performance.now(), random: Math.random};
    const makeRoom = (): Promise<void> => Promise.resolve();
    const log = await AttemptLog.open({directory, secrets: new Secrets(), link: uploading, makeRoom});
    const signal = new AbortController().signal;
    let hasEnded = false;
    const bytes = async function* (offset: number): AsyncGenerator<Uint8Array> {
      for await (const chunk of tailFile({path: file, offset, isComplete: async () => hasEnded})) yield chunk.bytes;
    };
    const pumped = log.pump('out', bytes, signal);
    await reader.open(held.task);
    return {
      end: async () => {
        hasEnded = true;
        await pumped;
        await link.exit(held, await log.seal(signal));
        await log.close();
      },
    };
  };
  return {
    name: switchyardName,
    round: tailRound(bring, reader),
    stop: async () => {
      await reader.stop();
      await source.stop();
    },
  };
}

/** What one builds first: `tail -F` into a WebSocket, a server that passes it on, nothing stored. */
export async function tailRelay(): Promise<Side & {readonly stop: () => Promise<void>}> {
  const server = await startChild('sides/floor-log-server.ts', {BENCH_STORED: '0'});
  const port = String(server.hello);
  const reader = await startReader('sides/floor-log-reader.ts', {BENCH_PORT: port, BENCH_EVERY_LINE: '1'});
  let logs = 0;
  const bring: Bring = async file => {
    logs += 1;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/write/${logs}`, {perMessageDeflate: false});
    await Promise.all([once(socket, 'open'), reader.open(String(logs))]);
    const tail = spawn('tail', ['-n', '+1', '-F', file], {stdio: ['ignore', 'pipe', 'ignore']});
    tail.stdout.on('data', (chunk: Buffer) => socket.send(chunk));
    return {
      end: async () => {
        const exited = once(tail, 'exit');
        tail.kill();
        await exited;
        socket.close(1000);
      },
    };
  };
  return {
    name: 'tail -F and relay',
    round: tailRound(bring, reader),
    stop: async () => {
      await reader.stop();
      await server.stop();
    },
  };
}

function tailRound(bring: Bring, reader: Reader): (lengthMs: number) => Promise<Figures> {
  return async lengthMs => {
    const folder = temporaryTree('bench-run-directory-');
    const directory = join(folder.path, 'run');
    mkdirSync(directory);
    const file = join(directory, 'out');
    writeFileSync(file, '');
    const way = await bring(file, directory);
    const agent = await startChild('sides/line-agent.ts', {
      BENCH_FILE: file,
      BENCH_BYTES_PER_SECOND: String(bytesPerSecond),
    });
    await new Promise(resolve => setTimeout(resolve, lengthMs));
    const said = once(agent.process, 'message');
    agent.process.send('stop');
    const [written] = (await said) as [number];
    const {ages} = await reader.seen(written);
    await way.end();
    await agent.stop();
    folder.remove();
    return {age: percentile(ages, 0.5), age99: percentile(ages, 0.99)};
  };
}
