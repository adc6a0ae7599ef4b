import {closeReason} from '@switchyard/shared/protocol/close-reason.ts';

/** Sends unless the socket is closed already: its peer has gone, and whatever it lacks it asks for when it comes back. */
export function trySend(socket: WebSocket, message: string | ArrayBuffer | ArrayBufferView): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(message);
}

/** Closing twice is no mistake. */
export function tryClose(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.OPEN) socket.close(code, closeReason(reason));
}
