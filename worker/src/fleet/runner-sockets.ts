import * as z from 'zod';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {closeReason} from '@switchyard/shared/protocol/close-reason.ts';

const attachmentSchema = z.object({
  runner: z.string(),
  /** The challenge of this socket, which is also the name of its connection. */
  nonce: z.string(),
  opened_ms: z.number(),
});
type Attachment = z.infer<typeof attachmentSchema>;

/** The sockets of runners, found again after hibernation by what is attached to them. */
export class RunnerSockets {
  readonly #state: DurableObjectState;
  readonly #byConnection = new Map<string, WebSocket>();
  readonly #attachments = new WeakMap<WebSocket, Attachment>();

  constructor(state: DurableObjectState) {
    this.#state = state;
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    for (const socket of state.getWebSockets()) {
      const attachment = this.attachmentOf(socket);
      if (attachment !== undefined) this.#byConnection.set(attachment.nonce, socket);
    }
  }

  /** Takes a socket over; its challenge names the connection. */
  open(socket: WebSocket, attachment: Attachment): void {
    this.#state.acceptWebSocket(socket);
    socket.serializeAttachment(attachment);
    this.#attachments.set(socket, attachment);
    this.#byConnection.set(attachment.nonce, socket);
  }

  attachmentOf(socket: WebSocket): Attachment | undefined {
    const known = this.#attachments.get(socket);
    if (known !== undefined) return known;
    const attachment = attachmentSchema.safeParse(socket.deserializeAttachment()).data;
    if (attachment !== undefined) this.#attachments.set(socket, attachment);
    return attachment;
  }

  has(connection: string): boolean {
    return this.#byConnection.has(connection);
  }

  forget(connection: string): void {
    this.#byConnection.delete(connection);
  }

  send(connection: string, frame: string): void {
    try {
      this.#byConnection.get(connection)?.send(frame);
    } catch {
      // It closed in between: its close event ends the session, and the next hello asks for what was lost.
    }
  }

  close(connection: string, code: number, why: string): void {
    const socket = this.#byConnection.get(connection);
    this.#byConnection.delete(connection);
    try {
      socket?.close(code, closeReason(why));
    } catch {
      // It closed by itself.
    }
  }

  /** When the socket was last answered a ping without waking anybody; 0 before the first. */
  pingedMs(connection: string): number {
    const socket = this.#byConnection.get(connection);
    return socket === undefined ? 0 : (this.#state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }

  /** Closes sockets that never said hello. Answers when the next one will have had its time. */
  closeUngreeted(nowMs: number, isGreeted: (connection: string, runner: string) => boolean): number {
    let nextMs = Infinity;
    for (const [connection, socket] of this.#byConnection) {
      const attachment = this.attachmentOf(socket);
      if (attachment === undefined || isGreeted(connection, attachment.runner)) continue;
      const endMs = attachment.opened_ms + limits.challengeMs;
      if (nowMs >= endMs) this.close(connection, 4401, 'no hello in time');
      else nextMs = Math.min(nextMs, endMs);
    }
    return nextMs;
  }
}
