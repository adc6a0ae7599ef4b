import {env} from 'cloudflare:workers';
import {concat, sha256, toHex} from '@switchyard/shared/crypto/bytes.ts';
import {newRunnerId, newTaskId} from '@switchyard/shared/domain/id.ts';
import {decodeLogFrame, encodeLogFrame} from '@switchyard/shared/protocol/log-frame.ts';
import {runnerHeader} from '../../../worker/src/fleet/fleet-rpc.ts';
import {
  logEpochHeader,
  logRoleHeader,
  logStateHeader,
  logTaskHeader,
} from '../../../worker/src/tasklog/task-log-rpc.ts';
import {openInbox, type Inbox} from '../socket-inbox.ts';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/** A task with a log of its own, and the machine that works on it. */
export function newLog() {
  const task = newTaskId(Date.now(), randomBytes);
  const runner = newRunnerId(Date.now(), randomBytes);
  const log = env.TASK_LOG.get(env.TASK_LOG.idFromName(`test:${task}`));
  const upgrade = async (url: string, headers: Record<string, string>): Promise<Inbox> =>
    openInbox(await log.fetch(new Request(url, {headers: {upgrade: 'websocket', ...headers}})));
  return {
    task,
    runner,
    log,
    connect: async (epoch: number, as: string = runner) =>
      upgrade('https://log/', {
        [logRoleHeader]: 'runner',
        [logTaskHeader]: task,
        [logEpochHeader]: String(epoch),
        [runnerHeader]: as,
      }),
    view: async (from = 0, state = 'leased', epoch?: number) =>
      upgrade(`https://log/?from=${from}`, {
        [logRoleHeader]: 'viewer',
        [logStateHeader]: state,
        ...(epoch === undefined ? {} : {[logEpochHeader]: String(epoch)}),
      }),
    stored: async (): Promise<Uint8Array> => (await log.read({from: 0, bytesMax: 1_000_000})).bytes,
  };
}

export function frame(offset: number, payload: Uint8Array, isGzip = false): Uint8Array<ArrayBuffer> {
  return encodeLogFrame({channel: 0, offset, isGzip, payload});
}

export async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

export async function gunzip(bytes: Uint8Array): Promise<Uint8Array> {
  const raw = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(raw).arrayBuffer());
}

export async function hashOf(bytes: Uint8Array): Promise<string> {
  return toHex(await sha256(bytes.slice()));
}

/** Reads data frames until `to` was reached, acknowledging each; answers the bytes, and that none was missing. */
export async function follow(viewer: Inbox, from: number, to: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = from; at < to;) {
    const decoded = decodeLogFrame(await viewer.bytes());
    if (!decoded.ok) throw new Error(decoded.refused);
    if (decoded.frame.offset !== at) throw new Error(`expected ${at}, got ${decoded.frame.offset}`);
    const raw = decoded.frame.isGzip ? await gunzip(decoded.frame.payload) : decoded.frame.payload;
    parts.push(raw);
    at += raw.length;
    viewer.socket.send(JSON.stringify({t: 'ack', to: at}));
  }
  return concat(...parts);
}
