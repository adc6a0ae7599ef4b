import type {IncomingMessage} from 'node:http';
import {WebSocket} from 'ws';
import {boundedText} from '@switchyard/shared/api/bounded-text.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {decodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {closeReason} from '@switchyard/shared/protocol/close-reason.ts';
import {downMessageSchema} from '@switchyard/shared/protocol/down.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import type {Carrier, CarrierHandlers, CarrierOptions, SessionEnd} from './carrier.ts';
import {framesOf} from './frame-batch.ts';
import {refusalBytesMax, refusalOf} from './refusal.ts';

export type Heartbeat = {readonly everyMs: number; readonly answerMs: number};

export const defaultHeartbeat: Heartbeat = {everyMs: limits.heartbeatMs, answerMs: limits.httpTimeoutMs};

/** Bytes that may wait in this process; a server that reads no faster has lost us. */
const bufferedBytesMax = 8 * 1_048_576;
/** A character of a frame takes at most three bytes. */
const payloadBytesMax = limits.controlFrameBytesMax * 3;

/** One session over a WebSocket. The socket is dead when a `ping` got no answer of any kind in time. */
export function openSocket(
  {url, token, log, heartbeat = defaultHeartbeat}: CarrierOptions & {heartbeat?: Heartbeat | undefined},
  handlers: CarrierHandlers,
): Carrier {
  const address = new URL('/v1/runner/connect', url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, [RUNNER_SUBPROTOCOL], {
    headers: {authorization: `Bearer ${token}`},
    perMessageDeflate: false,
    maxPayload: payloadBytesMax,
    handshakeTimeout: limits.httpTimeoutMs,
    followRedirects: false,
  });
  let hasEnded = false;
  let hasOpened = false;
  let stopHeartbeat = (): void => undefined;

  const end = (how: SessionEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    stopHeartbeat();
    socket.terminate();
    handlers.onEnd(how);
  };

  socket.on('open', () => {
    hasOpened = true;
    stopHeartbeat = beat(socket, heartbeat, () =>
      end({kind: 'unreachable', why: `no answer to a ping within ${heartbeat.answerMs} ms`}),
    );
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary || hasEnded) return;
    const text = data.toString('utf8');
    if (text === 'pong') return;
    try {
      handlers.onMessages(decodeBatch(downMessageSchema, text, 'leave_out').messages);
    } catch (error) {
      end({
        kind: 'unreachable',
        why: `the server broke the protocol: ${error instanceof Error ? error.message : 'unknown'}`,
      });
    }
  });
  socket.on('unexpected-response', (request, response) => {
    readRefusal(response).then(end, () => end({kind: 'unreachable', why: `HTTP ${response.statusCode ?? 0}`}));
    response.once('close', () => request.destroy());
  });
  socket.on('error', error => {
    end(hasOpened ? {kind: 'closed', code: undefined, why: error.message} : {kind: 'unreachable', why: error.message});
  });
  socket.on('close', (code, reason) => {
    end({kind: 'closed', code, why: reason.toString('utf8') || `closed with ${code}`});
  });

  return {
    send(messages: readonly UpMessage[]) {
      if (hasEnded || socket.readyState !== WebSocket.OPEN) return;
      for (const frame of framesOf(messages, log)) socket.send(frame);
      if (socket.bufferedAmount > bufferedBytesMax)
        end({kind: 'unreachable', why: `${socket.bufferedAmount} bytes wait for a server that does not read`});
    },
    leave(why) {
      if (socket.readyState === WebSocket.OPEN) socket.close(1000, closeReason(why));
      // The reply of a dead server is not waited for; `end` cuts what the close frame left open.
      setImmediate(() => end({kind: 'left', why}));
    },
  };
}

/** Sends `ping`; any message of the server since then is an answer. Returns how to stop. */
function beat(socket: WebSocket, {everyMs, answerMs}: Heartbeat, onDead: () => void): () => void {
  let isHeard = true;
  let answerTimer: NodeJS.Timeout | undefined;
  const heard = (): void => {
    isHeard = true;
  };
  const timer = setInterval(() => {
    if (!isHeard) return;
    isHeard = false;
    socket.send('ping');
    clearTimeout(answerTimer);
    answerTimer = setTimeout(() => {
      if (!isHeard) onDead();
    }, answerMs);
  }, everyMs);
  socket.on('message', heard);
  return () => {
    clearInterval(timer);
    clearTimeout(answerTimer);
    socket.off('message', heard);
  };
}

async function readRefusal(response: IncomingMessage): Promise<SessionEnd> {
  const retryAfter = response.headers['retry-after'];
  return refusalOf(response.statusCode ?? 0, (await boundedText(response, refusalBytesMax)) ?? '', {
    date: response.headers.date,
    retryAfter,
  });
}
