import {limits} from '@switchyard/shared/policy/limits.ts';
import {decodeLogFrame} from '@switchyard/shared/protocol/log-frame.ts';
import {logViewDownSchema, type LogViewDown} from '@switchyard/shared/protocol/log-view.ts';
import {heartbeatComment, LogEvents, retryLine, serverSentEvent} from './log-events.ts';

const STREAM_BUFFER_BYTES = 262_144;

/**
 * A live stream of server-sent events over the socket of a viewer. The stream lives in the Worker, so the log itself may
 * sleep while nothing happens. A reader that does not read is not acknowledged, and so is sent no more.
 */
export function logEventStream(
  socket: WebSocket,
  {from, endData}: {readonly from: number; readonly endData: EndData},
): ReadableStream<Uint8Array> {
  const follower = new Follower(socket, from, endData);
  return new ReadableStream<Uint8Array>(
    {
      start: controller => follower.start(controller),
      pull: () => follower.acknowledge(),
      cancel: () => follower.stop('the reader has gone'),
    },
    {highWaterMark: STREAM_BUFFER_BYTES, size: chunk => chunk?.length ?? 0},
  );
}

/** What the last event of a stream says. */
export type EndData = (end: Extract<LogViewDown, {t: 'end'}>) => object;

class Follower {
  readonly #socket: WebSocket;
  readonly #endData: EndData;
  readonly #events: LogEvents;
  /** What came, and what of it the other side knows to have been read. */
  #received: number;
  #acknowledged: number;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  /** Frames are told in their order, also where one has to be inflated first. */
  #turn: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(socket: WebSocket, from: number, endData: EndData) {
    this.#socket = socket;
    this.#endData = endData;
    this.#events = new LogEvents(from);
    this.#received = from;
    this.#acknowledged = from;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    controller.enqueue(retryLine);
    this.#heartbeat = setInterval(() => controller.enqueue(heartbeatComment), limits.heartbeatMs);
    this.#socket.addEventListener('message', ({data}) => {
      this.#turn = this.#turn
        .then(async () => this.#take(data, controller))
        .catch(error => this.#fail(error, controller));
    });
    this.#socket.addEventListener('close', () => {
      this.#turn = this.#turn.then(() => this.#end(controller));
    });
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.accept();
  }

  acknowledge(): void {
    if (this.#isOver || this.#acknowledged === this.#received) return;
    this.#acknowledged = this.#received;
    this.#socket.send(JSON.stringify({t: 'ack', to: this.#received}));
  }

  stop(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#heartbeat !== undefined) clearInterval(this.#heartbeat);
    this.#socket.close(1000, why);
  }

  async #take(data: string | ArrayBuffer, controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#isOver) return;
    if (typeof data === 'string') {
      this.#control(logViewDownSchema.parse(JSON.parse(data)), controller);
      return;
    }
    const bytes = await rawBytes(new Uint8Array(data));
    this.#received += bytes.length;
    const event = this.#events.take(bytes);
    if (event !== undefined) controller.enqueue(event);
    if ((controller.desiredSize ?? 0) > 0) this.acknowledge();
  }

  #control(message: LogViewDown, controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (message.t !== 'end') return;
    const rest = this.#events.flush();
    if (rest !== undefined) controller.enqueue(rest);
    controller.enqueue(serverSentEvent({event: 'end', data: this.#endData(message)}));
    this.#end(controller);
  }

  #end(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#isOver) return;
    this.stop('the stream has ended');
    controller.close();
  }

  #fail(error: unknown, controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#isOver) return;
    this.stop('the stream has failed');
    controller.error(error);
  }
}

async function rawBytes(message: Uint8Array): Promise<Uint8Array> {
  const decoded = decodeLogFrame(message);
  if (!decoded.ok) throw new Error(`a frame of the log was refused: ${decoded.refused}`);
  if (!decoded.frame.isGzip) return decoded.frame.payload;
  const inflated = new Blob([decoded.frame.payload]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}
