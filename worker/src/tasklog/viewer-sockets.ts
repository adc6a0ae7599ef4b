import {isFinished, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {logViewCloseCodes} from '@switchyard/shared/protocol/log-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {countViewers, openViewers, socketTags, tellWatching, type Log} from './log.ts';
import {socketStateOf} from './socket-role.ts';
import {tryClose} from './socket-send.ts';
import {acknowledged, newViewer, pump, tell, type ViewerState} from './viewers.ts';

/** False when the log has all the viewers it may have. `knownState` is what the Fleet said when it let the viewer in. */
export function admitViewer(
  log: Log,
  socket: WebSocket,
  {from, knownState, nowMs}: {from: number; knownState: TaskState | undefined; nowMs: number},
): boolean {
  const {ctx, store} = log;
  if (countViewers(ctx) >= limits.logViewersMax) return false;
  if (knownState !== undefined && isFinished(knownState) && store.ending() === undefined) store.finish(knownState);
  ctx.acceptWebSocket(socket, [socketTags.viewer]);
  tell(socket, {t: 'state', length: store.end()});
  advance(log, socket, newViewer(from, nowMs), nowMs);
  tellWatching(ctx);
  return true;
}

/** The log grew, or the task ended. */
export function updateViewers(log: Log, nowMs: number): void {
  for (const socket of openViewers(log.ctx)) {
    const state = socketStateOf(socket);
    if (state?.role === 'viewer') advance(log, socket, state, nowMs);
  }
}

export function takeViewerMessage(
  log: Log,
  socket: WebSocket,
  {state, message, nowMs}: {state: ViewerState; message: string | ArrayBuffer; nowMs: number},
): void {
  const next = typeof message === 'string' ? acknowledged(state, message, nowMs) : undefined;
  if (next === undefined)
    tryClose(socket, logViewCloseCodes.malformed, 'expected {"t":"ack","to":<offset that was sent>}');
  else advance(log, socket, next, nowMs);
}

function advance({ctx, store}: Log, socket: WebSocket, viewer: ViewerState, nowMs: number): void {
  const next = pump(socket, viewer, {store, ending: store.ending(), nowMs});
  if (next === undefined) tellWatching(ctx);
  else socket.serializeAttachment(next);
}
