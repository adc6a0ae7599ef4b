import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {SessionEnd} from './carrier.ts';

export type Transport = 'websocket' | 'poll';

export type Tries = {
  /** Sessions that ended since the last one that stood for a while. */
  readonly count: number;
  /** WebSockets in a row that never got to a welcome although somebody may be there. */
  readonly socketFailures: number;
  readonly transport: Transport;
  /** The clock was corrected after the last refusal: not again, so that a wrong server cannot make us spin. */
  readonly wasCorrected: boolean;
};

export const firstTries: Tries = {count: 0, socketFailures: 0, transport: 'websocket', wasCorrected: false};

export type Next =
  | {readonly kind: 'stop'; readonly error: SwitchyardError}
  | {readonly kind: 'retry'; readonly tries: Tries; readonly delayMs: number};

export type Ended = {
  readonly end: SessionEnd;
  readonly wasWelcome: boolean;
  /** The session stood long enough that its end says nothing about the next. */
  readonly wasStable: boolean;
  /** The server's clock showed that ours was wrong. */
  readonly clockCorrected: boolean;
};

const firstWindowMs = 1_000;
const socketFailuresBeforePoll = 3;

/** What to do after a session. Pure; `random` is in [0, 1). */
export function nextTry(tries: Tries, ended: Ended, random: number): Next {
  const {end} = ended;
  const stop = stopFor(end);
  if (stop !== undefined) return {kind: 'stop', error: stop};
  const count = ended.wasStable ? 0 : tries.count;
  const next: Tries = {
    count: count + 1,
    ...transportAfter(tries, ended),
    wasCorrected: ended.clockCorrected,
  };
  if (ended.clockCorrected && !tries.wasCorrected) return {kind: 'retry', tries: next, delayMs: 0};
  return {kind: 'retry', tries: next, delayMs: Math.max(delayFor(end, count, random), retryAfter(end))};
}

/** The first try comes within a second; then the window doubles up to its limit, and is used whole. */
function delayFor(end: SessionEnd, count: number, random: number): number {
  if (end.kind === 'closed' && end.code === closeCodes.replaced) return limits.reconnectMaxMs * (1 + random);
  // Our own wish to change the transport waits for nothing.
  if (end.kind === 'left') return 0;
  const isRefusedKey = (end.kind === 'refused' && end.status === 401) || isClosedWith(end, closeCodes.unauthorized);
  if (isRefusedKey && count > 0) return limits.reconnectMaxMs * (0.5 + random / 2);
  return random * Math.min(limits.reconnectMaxMs, firstWindowMs * 2 ** Math.min(count, 10));
}

function retryAfter(end: SessionEnd): number {
  return end.kind === 'refused' ? Math.min(end.retryAfterMs ?? 0, limits.reconnectMaxMs * 10) : 0;
}

function isClosedWith(end: SessionEnd, code: number): boolean {
  return end.kind === 'closed' && end.code === code;
}

function stopFor(end: SessionEnd): SwitchyardError | undefined {
  const isRevoked = isClosedWith(end, closeCodes.revoked) || (end.kind === 'refused' && end.code === 'runner_revoked');
  if (isRevoked) return new SwitchyardError('runner_revoked', end.why);
  const isTooOld =
    isClosedWith(end, closeCodes.protocolTooOld) || (end.kind === 'refused' && end.code === 'protocol_unsupported');
  if (isTooOld) return new SwitchyardError('protocol_unsupported', end.why);
  return undefined;
}

/**
 * After some WebSockets that came to nothing, polling is tried in turn with them. A poll session that stood is used
 * until it ends; then the WebSocket has another chance, because it is the better transport.
 */
function transportAfter(tries: Tries, {end, wasWelcome}: Ended): Pick<Tries, 'socketFailures' | 'transport'> {
  if (tries.transport === 'poll') {
    const isOnlyCut = wasWelcome && end.kind !== 'left';
    return {socketFailures: socketFailuresBeforePoll - 1, transport: isOnlyCut ? 'poll' : 'websocket'};
  }
  if (wasWelcome) return {socketFailures: 0, transport: 'websocket'};
  // A refusal in our own words came over the very path that a WebSocket takes: the network is not the reason.
  const isNetwork = end.kind === 'unreachable' || (end.kind === 'refused' && end.code === undefined) || isCutEarly(end);
  const socketFailures = isNetwork ? tries.socketFailures + 1 : tries.socketFailures;
  return {socketFailures, transport: socketFailures >= socketFailuresBeforePoll ? 'poll' : 'websocket'};
}

function isCutEarly(end: SessionEnd): boolean {
  return end.kind === 'closed' && (end.code === undefined || end.code < 4_000);
}
