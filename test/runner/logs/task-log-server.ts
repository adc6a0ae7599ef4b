import type {AddressInfo} from 'node:net';

import {formatLogDown, type LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {type WebSocket, WebSocketServer} from 'ws';
import {arrivedEnd, arrivedFrame, StoredLog} from '../../fixtures/stored-log.ts';

/** What happens to the next message of a runner. */
export type Fault =
  | 'none'
  /** It never arrives. */
  | 'drop'
  /** The connection breaks before it, or after it was stored and before it was answered. */
  | 'cutBefore'
  | 'cutAfter'
  /** It arrives twice. */
  | 'duplicate'
  /** Its answer comes late. */
  | 'delay'
  /** Only its first half arrives. */
  | 'partial';

/** A task log on loopback that follows the rule of the real one, with faults by script. */
export class TaskLogServer {
  readonly #server: WebSocketServer;
  readonly #faults: Fault[] = [];
  readonly #waiting: {readonly isTrue: () => boolean; readonly resolve: () => void}[] = [];
  readonly #log = new StoredLog();
  connections = 0;
  gzipFrames = 0;
  rawFrames = 0;
  watching = 1;
  /** What a new connection hears first; replaced to greet wrongly. */
  greeting: () => string = () => formatLogDown({t: 'state', len: this.bytes.length, watching: this.watching});
  /** Status with which upgrades are refused, or none. */
  readonly refusals: number[] = [];

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', socket => this.#serve(socket));
  }

  static async start(): Promise<TaskLogServer> {
    const holder: {server?: TaskLogServer} = {};
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      perMessageDeflate: false,
      verifyClient: (_info, answer) => {
        const status = holder.server?.refusals.shift();
        answer(status === undefined, status);
      },
    });
    const {promise, resolve} = Promise.withResolvers<void>();
    server.once('listening', resolve);
    await promise;
    holder.server = new TaskLogServer(server);
    return holder.server;
  }

  get url(): string {
    const {port} = this.#server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}`;
  }

  script(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  get bytes(): Buffer {
    return this.#log.bytes;
  }

  set bytes(bytes: Buffer) {
    this.#log.bytes = bytes;
  }

  get faultsLeft(): number {
    return this.#faults.length;
  }

  say(message: LogDown): void {
    for (const socket of this.#server.clients) socket.send(formatLogDown(message));
    this.#look();
  }

  close(code: number): void {
    for (const socket of this.#server.clients) socket.close(code);
  }

  /** Resolves when the claim holds after a message; rejects after 20 s. */
  async until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return;
    const {promise, resolve, reject} = Promise.withResolvers<void>();
    const deadline = setTimeout(
      () => reject(new Error(`not seen in 20 s; the log has ${this.bytes.length} bytes`)),
      20_000,
    );
    this.#waiting.push({isTrue, resolve});
    try {
      await promise;
    } finally {
      clearTimeout(deadline);
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    const {promise, resolve} = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #serve(socket: WebSocket): void {
    this.connections++;
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => {
      if (Buffer.isBuffer(data)) this.#receive(socket, data, isBinary);
      this.#look();
    });
    socket.send(this.greeting());
    this.#look();
  }

  #look(): void {
    for (const {isTrue, resolve} of this.#waiting) if (isTrue()) resolve();
  }

  #receive(socket: WebSocket, data: Buffer, isBinary: boolean): void {
    const fault = this.#faults.shift() ?? 'none';
    if (fault === 'drop') return;
    if (fault === 'cutBefore') return socket.terminate();
    const answers = Array.from({length: fault === 'duplicate' ? 2 : 1}, () =>
      isBinary ? this.#append(data, fault === 'partial') : this.#log.end(arrivedEnd(data.toString())),
    );
    if (fault === 'cutAfter') return socket.terminate();
    const send = (): void => answers.forEach(answer => socket.send(formatLogDown(answer)));
    if (fault === 'delay') setTimeout(send, 30);
    else send();
  }

  #append(data: Buffer, isPartial: boolean): LogDown {
    const {offset, isGzip, bytes} = arrivedFrame(data);
    if (isGzip) this.gzipFrames++;
    else this.rawFrames++;
    return this.#log.append({offset, bytes: isPartial ? bytes.subarray(0, Math.ceil(bytes.length / 2)) : bytes});
  }
}
