import {limits} from '@switchyard/shared/policy/limits.ts';
import {countViewers, openViewers, socketTags, tellWatching, type Log} from './log.ts';
import {rememberState, socketStateOf} from './socket-role.ts';
import {trySend} from './socket-send.ts';
import {viewedRange} from './viewed-range.ts';
import {hear, newViewer, pump, tell, type ViewerState} from './viewers.ts';

/** False when the log has all the viewers it may have. */
export function admitViewer(
  log: Log,
  socket: WebSocket,
  viewer: {readonly from: number; readonly epoch: number | null; readonly nowMs: number},
): boolean {
  const {ctx, store} = log;
  if (countViewers(ctx) >= limits.logViewersMax) return false;
  ctx.acceptWebSocket(socket, [socketTags.viewer]);
  tell(socket, {t: 'state', length: viewedRange(store, viewer.epoch).length});
  advance(log, socket, newViewer(viewer), viewer.nowMs);
  tellWatching(ctx);
  return true;
}

/** The log grew, or the task or an attempt ended. */
export function updateViewers(log: Log, nowMs: number): void {
  for (const socket of openViewers(log.ctx)) {
    const state = socketStateOf(socket);
    if (state?.role === 'viewer') advance(log, socket, state, nowMs);
  }
}

/** A message that cannot be taken is answered; the viewer and what it follows go on. */
export function takeViewerMessage(
  log: Log,
  socket: WebSocket,
  {state, message, nowMs}: {state: ViewerState; message: string | ArrayBuffer; nowMs: number},
): void {
  const heard = hear(state, message, nowMs);
  if (heard.ok) advance(log, socket, heard.viewer, nowMs);
  else trySend(socket, JSON.stringify(heard.error));
}

function advance({ctx, store}: Log, socket: WebSocket, viewer: ViewerState, nowMs: number): void {
  const next = pump(socket, viewer, {store, range: viewedRange(store, viewer.epoch), nowMs});
  if (next === undefined) tellWatching(ctx);
  else rememberState(socket, next);
}
