import {logPayloadBytesMax} from '@switchyard/shared/protocol/log-frame.ts';

/**
 * When to send which part of the spool to the task log, for one attempt. Pure: the spool file is the buffer, so the
 * state is a few offsets, and a lost connection costs nothing but the bytes in flight.
 *
 *            known           sent            spoolBytes
 *    ----------|---------------|-----------------|
 *     durable there   in flight       not sent
 *                    (<= window)
 *
 *    waiting -> connecting -> greeting -> streaming -> sealed | gone | diverged
 *       ^___________|_____________|___________|   socketClosed, after a delay
 */
export const uploadPolicy = {
  chunkBytesMin: 16 * 1024,
  chunkBytesMax: logPayloadBytesMax,
  windowBytes: 256 * 1024,
  /** Unwatched, a chunk goes when it is full or this old; watched, when it has the least size or is this old. */
  unwatchedMs: 2000,
  watchedMs: 50,
  /** From the opened socket to the greeting. */
  greetingMs: 10_000,
  /** Without progress for so long, everything after the last acknowledged byte is sent again; */
  stallMs: 5000,
  /** and after so many times in a row, over a new connection. */
  stallsMax: 3,
  /** Frames in flight behind a gap are refused one by one, each naming the same length: one of them is acted on. */
  nackHoldMs: 1000,
  reconnectMs: 1000,
  reconnectMaxMs: 30_000,
  /** A socket that lived this long, or moved bytes, makes the next delay the first one again. */
  healthyMs: 10_000,
} as const;

export type UploadPhase = 'waiting' | 'connecting' | 'greeting' | 'streaming' | 'sealed' | 'gone' | 'diverged';

export interface UploadState {
  readonly phase: UploadPhase;
  readonly spoolBytes: number;
  /** Set once the spool is finished. */
  readonly end: {readonly len: number; readonly sha256: string} | undefined;
  readonly isEndSent: boolean;
  /** The most that was ever acknowledged: never falls. */
  readonly acked: number;
  /** What the task log has, as it last said. Below `acked` only if it lost what it had acknowledged. */
  readonly known: number;
  readonly sent: number;
  readonly watching: number;
  /** When the oldest unsent byte came; undefined when every byte is sent. Milliseconds of the caller's clock. */
  readonly unsentSinceMs: number | undefined;
  /** When the phase began, bytes moved, or something was sent after everything had been acknowledged. */
  readonly progressAtMs: number;
  readonly openedAtMs: number;
  readonly hasMoved: boolean;
  readonly stalls: number;
  readonly nack: {readonly len: number; readonly atMs: number} | undefined;
  /** Closes in a row without a healthy connection between them. */
  readonly failures: number;
  readonly receipt: string | undefined;
  readonly why: string | undefined;
}

export type UploadEvent =
  | {readonly kind: 'start'}
  | {readonly kind: 'spoolGrew'; readonly length: number}
  | {readonly kind: 'ended'; readonly len: number; readonly sha256: string}
  | {readonly kind: 'connecting'}
  | {readonly kind: 'socketOpened'}
  /** `random` in [0, 1). */
  | {readonly kind: 'socketClosed'; readonly random: number}
  | {readonly kind: 'greeted'; readonly len: number; readonly watching: number}
  | {readonly kind: 'ack'; readonly len: number}
  | {readonly kind: 'nack'; readonly len: number}
  | {readonly kind: 'watching'; readonly count: number}
  | {readonly kind: 'sealed'; readonly len: number; readonly receipt: string}
  | {readonly kind: 'gone'; readonly why: string}
  | {readonly kind: 'tick'};

export type UploadEffect =
  | {readonly kind: 'connect'; readonly afterMs: number}
  | {readonly kind: 'sendChunk'; readonly offset: number; readonly length: number}
  | {readonly kind: 'sendEnd'; readonly len: number; readonly sha256: string}
  | {readonly kind: 'close'; readonly why: string};

export interface UploadStep {
  readonly state: UploadState;
  readonly effects: readonly UploadEffect[];
}

export const startUpload: UploadState = {
  phase: 'waiting',
  spoolBytes: 0,
  end: undefined,
  isEndSent: false,
  acked: 0,
  known: 0,
  sent: 0,
  watching: 0,
  unsentSinceMs: undefined,
  progressAtMs: 0,
  openedAtMs: 0,
  hasMoved: false,
  stalls: 0,
  nack: undefined,
  failures: 0,
  receipt: undefined,
  why: undefined,
};

export function isUploadOver({phase}: UploadState): boolean {
  return phase === 'sealed' || phase === 'gone' || phase === 'diverged';
}

/** Events that do not fit the phase (a late answer after a close) change nothing. */
export function stepUpload(state: UploadState, event: UploadEvent, nowMs: number): UploadStep {
  if (isUploadOver(state)) return stay(state);
  switch (event.kind) {
    case 'start':
    case 'connecting':
    case 'socketOpened':
    case 'greeted':
      return connect(state, event, nowMs);
    case 'socketClosed':
      return reconnect(state, event.random, nowMs);
    case 'spoolGrew':
      return pump({...state, spoolBytes: Math.max(state.spoolBytes, event.length)}, nowMs);
    case 'ended': {
      const {len, sha256} = event;
      return pump({...state, spoolBytes: Math.max(state.spoolBytes, len), end: {len, sha256}}, nowMs);
    }
    case 'tick':
      return tick(state, nowMs);
    default:
      return state.phase === 'streaming' ? answer(state, event, nowMs) : stay(state);
  }
}

/** When `tick` is due, or undefined when only an event can change anything. */
export function nextTickAtMs(state: UploadState): number | undefined {
  if (state.phase === 'greeting') return state.progressAtMs + uploadPolicy.greetingMs;
  if (state.phase !== 'streaming') return undefined;
  const stallAtMs = isAwaitingAnswer(state) ? state.progressAtMs + uploadPolicy.stallMs : Number.POSITIVE_INFINITY;
  const isReady = state.unsentSinceMs !== undefined && fittingBytes(state) > 0;
  const dueAtMs = isReady ? state.unsentSinceMs + delayMs(state) : Number.POSITIVE_INFINITY;
  const nextAtMs = Math.min(stallAtMs, dueAtMs);
  return nextAtMs === Number.POSITIVE_INFINITY ? undefined : nextAtMs;
}

type Opening = Extract<UploadEvent, {kind: 'start' | 'connecting' | 'socketOpened' | 'greeted'}>;

function connect(state: UploadState, event: Opening, nowMs: number): UploadStep {
  const {phase} = state;
  if (event.kind === 'start' && phase === 'waiting') return {state, effects: [{kind: 'connect', afterMs: 0}]};
  if (event.kind === 'connecting' && phase === 'waiting') return stay({...state, phase: 'connecting'});
  if (event.kind === 'socketOpened' && phase === 'connecting') {
    return stay({...state, phase: 'greeting', openedAtMs: nowMs, progressAtMs: nowMs, hasMoved: false, stalls: 0});
  }
  if (event.kind !== 'greeted' || phase !== 'greeting') return stay(state);
  if (event.len > state.spoolBytes) return diverge(state, event.len);
  return resendFrom({...state, phase: 'streaming', watching: event.watching, nack: undefined}, event.len, nowMs);
}

type Answer = Extract<UploadEvent, {kind: 'ack' | 'nack' | 'watching' | 'sealed' | 'gone'}>;

function answer(state: UploadState, event: Answer, nowMs: number): UploadStep {
  if (event.kind === 'watching') return pump({...state, watching: event.count}, nowMs);
  if (event.kind === 'gone') return over({...state, phase: 'gone', why: event.why});
  if (event.len > state.spoolBytes) return diverge(state, event.len);
  if (event.kind === 'ack') return pump(acknowledge(state, event.len, nowMs), nowMs);
  if (event.kind === 'nack') return goBack(state, event.len, nowMs);
  return seal(state, event);
}

function acknowledge(state: UploadState, len: number, nowMs: number): UploadState {
  if (len <= state.known) return state;
  const {acked, sent} = state;
  const moved = {acked: Math.max(acked, len), known: len, sent: Math.max(sent, len)};
  return {...state, ...moved, progressAtMs: nowMs, hasMoved: true, stalls: 0};
}

function goBack(state: UploadState, len: number, nowMs: number): UploadStep {
  const {nack} = state;
  if (nack !== undefined && nack.len === len && nowMs - nack.atMs < uploadPolicy.nackHoldMs) return stay(state);
  return resendFrom({...state, nack: {len, atMs: nowMs}}, len, nowMs);
}

/** Goes on from what the other side has, even below what it once acknowledged: the spool has every byte. */
function resendFrom(state: UploadState, len: number, nowMs: number): UploadStep {
  // What had to be sent once does not wait for company again.
  const again = {known: len, sent: len, isEndSent: false, progressAtMs: nowMs, unsentSinceMs: Number.NEGATIVE_INFINITY};
  return pump({...state, acked: Math.max(state.acked, len), ...again}, nowMs);
}

function seal(state: UploadState, {len, receipt}: {readonly len: number; readonly receipt: string}): UploadStep {
  // Sealed for an earlier process of this runner, which had finished the spool: this one will find it finished too.
  if (len !== (state.end?.len ?? state.spoolBytes)) return diverge(state, len);
  return over({...state, phase: 'sealed', acked: len, known: len, sent: len, receipt});
}

function reconnect(state: UploadState, random: number, nowMs: number): UploadStep {
  if (state.phase === 'waiting') return stay(state);
  const wasOpen = state.phase === 'greeting' || state.phase === 'streaming';
  const wasHealthy = wasOpen && (state.hasMoved || nowMs - state.openedAtMs >= uploadPolicy.healthyMs);
  const failures = wasHealthy ? 0 : state.failures;
  const ceilingMs = Math.min(uploadPolicy.reconnectMaxMs, uploadPolicy.reconnectMs * 2 ** failures);
  // The exponent stops where the ceiling is reached long since.
  const next: UploadState = {...state, phase: 'waiting', watching: 0, failures: Math.min(failures + 1, 10)};
  return {state: next, effects: [{kind: 'connect', afterMs: Math.floor(random * ceilingMs)}]};
}

function tick(state: UploadState, nowMs: number): UploadStep {
  if (state.phase === 'greeting') {
    const isLate = nowMs - state.progressAtMs >= uploadPolicy.greetingMs;
    return isLate ? {state, effects: [{kind: 'close', why: 'no greeting'}]} : stay(state);
  }
  if (state.phase !== 'streaming') return stay(state);
  if (!isAwaitingAnswer(state) || nowMs - state.progressAtMs < uploadPolicy.stallMs) return pump(state, nowMs);
  const stalls = state.stalls + 1;
  if (stalls < uploadPolicy.stallsMax) return resendFrom({...state, stalls}, state.known, nowMs);
  return {state: {...state, stalls: 0, progressAtMs: nowMs}, effects: [{kind: 'close', why: 'no progress'}]};
}

/** Sends what is due and fits the window, then the end. */
function pump(before: UploadState, nowMs: number): UploadStep {
  let state = markUnsent(before, nowMs);
  if (state.phase !== 'streaming') return stay(state);
  const effects: UploadEffect[] = [];
  for (let length = dueBytes(state, nowMs); length > 0; length = dueBytes(state, nowMs)) {
    effects.push({kind: 'sendChunk', offset: state.sent, length});
    const progressAtMs = isAwaitingAnswer(state) ? state.progressAtMs : nowMs;
    state = markUnsent({...state, sent: state.sent + length, progressAtMs}, nowMs);
  }
  if (state.end !== undefined && !state.isEndSent && state.sent === state.end.len) {
    effects.push({kind: 'sendEnd', ...state.end});
    state = {...state, isEndSent: true, progressAtMs: isAwaitingAnswer(state) ? state.progressAtMs : nowMs};
  }
  return {state, effects};
}

function markUnsent(state: UploadState, nowMs: number): UploadState {
  const unsentSinceMs = state.sent < state.spoolBytes ? (state.unsentSinceMs ?? nowMs) : undefined;
  return unsentSinceMs === state.unsentSinceMs ? state : {...state, unsentSinceMs};
}

/** Length of the next chunk, 0 when none is due. */
function dueBytes(state: UploadState, nowMs: number): number {
  const enough = state.watching > 0 ? uploadPolicy.chunkBytesMin : uploadPolicy.chunkBytesMax;
  const isFull = state.spoolBytes - state.sent >= enough || state.end !== undefined;
  return isFull || nowMs - (state.unsentSinceMs ?? nowMs) >= delayMs(state) ? fittingBytes(state) : 0;
}

/** A nearly full window would cut the stream into crumbs: then nothing fits until the next acknowledgement. */
function fittingBytes(state: UploadState): number {
  const unsent = state.spoolBytes - state.sent;
  const room = uploadPolicy.windowBytes - (state.sent - state.known);
  const length = Math.min(unsent, uploadPolicy.chunkBytesMax, room);
  return length < Math.min(unsent, uploadPolicy.chunkBytesMin) ? 0 : length;
}

function delayMs(state: UploadState): number {
  return state.watching > 0 ? uploadPolicy.watchedMs : uploadPolicy.unwatchedMs;
}

function isAwaitingAnswer(state: UploadState): boolean {
  return state.sent > state.known || state.isEndSent;
}

function diverge(state: UploadState, len: number): UploadStep {
  return over({...state, phase: 'diverged', why: `the task log has ${len} bytes, the spool ${state.spoolBytes}`});
}

function over(state: UploadState): UploadStep {
  return {state, effects: [{kind: 'close', why: state.phase}]};
}

function stay(state: UploadState): UploadStep {
  return {state, effects: []};
}
