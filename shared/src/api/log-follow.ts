import {chunksOf} from './bounded-text.ts';
import * as z from 'zod';
import {fromBase64, utf8} from '../crypto/bytes.ts';
import {SwitchyardError} from '../domain/error.ts';
import {taskStates, type TaskState} from '../machine/task-machine.ts';
import {limits} from '../policy/limits.ts';
import {errorOf, mayRetry, readBounded} from './api-answer.ts';
import {eventStreamParser, type ServerEvent} from './event-stream.ts';

export type FollowOptions = {
  /** First byte wanted. */
  readonly from?: number;
  readonly signal?: AbortSignal;
  /** Told before each new try, for people who wonder why nothing moves. */
  readonly onReconnect?: (error: SwitchyardError, inMs: number) => void;
};

export type LogItem =
  | {readonly kind: 'bytes'; readonly from: number; readonly to: number; readonly bytes: Uint8Array}
  /** Always last: the task has ended, and every byte of its log has been given. */
  | {readonly kind: 'end'; readonly state: TaskState};

export type FollowSource = {
  readonly open: (from: number, signal: AbortSignal) => Promise<Response>;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly random: () => number;
};

const retryBaseMs = 250;
/** A stream that gives nothing new this many times in a row is given up: about two minutes. */
const fruitlessMax = 12;
/** The server sends a comment every heartbeat; three missing ones mean that the connection is dead. */
const silentMs = limits.heartbeatMs * 3;

/**
 * Gives the bytes once each and in order, over as many connections as it takes.
 *
 * @throws SwitchyardError what the server refused; `control_plane_unreachable` when it stays away for two minutes
 */
export async function* followLog(source: FollowSource, options: FollowOptions): AsyncGenerator<LogItem, void, void> {
  const {signal, onReconnect} = options;
  let at = options.from ?? 0;
  for (let fruitless = 0; ;) {
    const before = at;
    let failure = new SwitchyardError('control_plane_unreachable', 'the stream of the log was cut');
    try {
      for await (const item of oneConnection(source, at, signal)) {
        if (item.kind === 'end') return yield item;
        const fresh = unseen(item, at);
        if (fresh === undefined) continue;
        yield fresh;
        at = fresh.to;
      }
    } catch (error) {
      signal?.throwIfAborted();
      failure = asFailure(error);
    }
    fruitless = at > before ? 0 : fruitless + 1;
    if (isHopeless(failure, fruitless)) throw failure;
    const inMs = failure.retryAfterMs ?? pauseMs(fruitless, source.random);
    onReconnect?.(failure, inMs);
    await source.wait(inMs, signal);
  }
}

type LogBytes = Extract<LogItem, {kind: 'bytes'}>;

/** The part of a chunk that has not been given yet. */
function unseen({from, to, bytes}: LogBytes, at: number): LogBytes | undefined {
  if (from > at) throw new SwitchyardError('log_incomplete', `the stream went from byte ${at} to byte ${from}`);
  return to <= at ? undefined : {kind: 'bytes', from: at, to, bytes: bytes.subarray(at - from)};
}

function isHopeless(failure: SwitchyardError, fruitless: number): boolean {
  return !mayRetry(failure) || fruitless > fruitlessMax;
}

function pauseMs(fruitless: number, random: () => number): number {
  return Math.round(random() * Math.min(retryBaseMs * 2 ** fruitless, limits.reconnectMaxMs));
}

async function* oneConnection(
  source: FollowSource,
  from: number,
  signal?: AbortSignal,
): AsyncGenerator<LogItem, void, void> {
  const silence = new AbortController();
  const either = signal === undefined ? silence.signal : AbortSignal.any([silence.signal, signal]);
  const cut = (): void =>
    silence.abort(new SwitchyardError('control_plane_unreachable', `nothing came for ${silentMs / 1_000} s`));
  let timer = setTimeout(cut, silentMs);
  try {
    const response = await source.open(from, either);
    if (response.status !== 200) throw errorOf('the log', response, await readBounded(response));
    const parser = eventStreamParser();
    for await (const bytes of chunksOf(response)) {
      clearTimeout(timer);
      timer = setTimeout(cut, silentMs);
      yield* parser.push(bytes).flatMap(event => decodeLogEvent(event) ?? []);
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

const chunkSchema = z.union([
  z.object({from: z.int().nonnegative(), text: z.string()}),
  z.object({from: z.int().nonnegative(), b64: z.string()}),
]);
const endSchema = z.object({state: z.enum(taskStates)});

/** `undefined` for an event that this client does not know: the server may be newer. */
export function decodeLogEvent({event, id, data}: ServerEvent): LogItem | undefined {
  if (event === 'log') {
    const chunk = parsed(chunkSchema, data);
    const bytes = 'text' in chunk ? utf8(chunk.text) : fromBase64(chunk.b64);
    const to = chunk.from + (bytes?.length ?? 0);
    if (bytes === undefined || String(to) !== id) throw malformed(event);
    return {kind: 'bytes', from: chunk.from, to, bytes};
  }
  if (event === 'end') return {kind: 'end', state: parsed(endSchema, data).state};
  return undefined;
}

function parsed<Schema extends z.ZodType>(schema: Schema, data: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(data));
  } catch (cause) {
    throw malformed('log', cause);
  }
}

function malformed(name: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError('invalid_request', `the server sent a malformed ${name} event`, {cause});
}

function asFailure(error: unknown): SwitchyardError {
  if (error instanceof SwitchyardError) return error;
  return new SwitchyardError('control_plane_unreachable', 'the connection was lost', {cause: error});
}
