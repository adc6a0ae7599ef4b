import {expect} from 'vitest';

export type Received =
  | {readonly text: string}
  | {readonly bytes: Uint8Array}
  | {readonly closed: number; readonly reason: string};

const DEADLINE_MS = 20_000;

/** The messages of a socket in their order, waited for one by one. */
export type Inbox = {
  readonly socket: WebSocket;
  readonly next: () => Promise<Received>;
  /** The next text message, as JSON. */
  readonly json: () => Promise<unknown>;
  readonly bytes: () => Promise<Uint8Array>;
  readonly closed: () => Promise<{readonly closed: number; readonly reason: string}>;
};

export function openInbox(response: Response): Inbox {
  const socket = response.webSocket;
  expect(response.status).toBe(101);
  if (socket === null) throw new Error('the answer is no upgrade');
  const waiting: Received[] = [];
  const takers: ((received: Received) => void)[] = [];
  const put = (received: Received): void => {
    const taker = takers.shift();
    if (taker === undefined) waiting.push(received);
    else taker(received);
  };
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('message', ({data}) => {
    put(typeof data === 'string' ? {text: data} : {bytes: new Uint8Array(data as ArrayBuffer)});
  });
  socket.addEventListener('close', ({code, reason}) => put({closed: code, reason}));
  socket.accept();

  const next = async (): Promise<Received> => {
    const first = waiting.shift();
    if (first !== undefined) return first;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing came in ${DEADLINE_MS} ms`)), DEADLINE_MS);
      takers.push(received => {
        clearTimeout(timer);
        resolve(received);
      });
    });
  };
  const json = async (): Promise<unknown> => {
    const received = await next();
    if (!('text' in received)) throw new Error(`expected text, got ${JSON.stringify(received)}`);
    return JSON.parse(received.text);
  };
  const bytes = async (): Promise<Uint8Array> => {
    const received = await next();
    if (!('bytes' in received)) throw new Error(`expected bytes, got ${JSON.stringify(received)}`);
    return received.bytes;
  };
  const closed = async (): Promise<{closed: number; reason: string}> => {
    const received = await next();
    if (!('closed' in received)) throw new Error(`expected a close, got ${JSON.stringify(received)}`);
    return received;
  };
  return {socket, next, json, bytes, closed};
}
