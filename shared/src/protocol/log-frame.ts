import {limits} from '../policy/limits.ts';

/**
 * The binary WebSocket message that carries log bytes from a runner to a task log. Numbers are big-endian.
 *
 *    0      1       2          6          14
 *    +------+-------+----------+----------+---------------
 *    | type | flags | channel  | offset   | payload ...
 *    | u8   | u8    | u32      | u64      |
 *    +------+-------+----------+----------+---------------
 *
 * `offset` counts raw bytes of the channel, before compression, so it means the same on both sides. Whoever stores a
 * gzip payload inflates it first, with `logPayloadBytesMax` as the limit: that is how it learns the raw length.
 */
export const logFrameHeaderBytes = 14;

/** No message of a log socket is longer, whatever its type. */
export const logFrameBytesMax = limits.logFrameBytesMax;

/** Raw bytes in one data frame. A compressed payload must not be longer either: it would be sent raw. */
export const logPayloadBytesMax = limits.logChunkBytesMax;

/** The one log of an attempt: standard output, standard error and the runner's own lines, merged by the runner. */
export const mergedLogChannel = 0;

const dataType = 1;
const gzipFlag = 0b1;

export interface LogFrame {
  readonly channel: number;
  /** Where the first raw byte of the payload stands in the channel. */
  readonly offset: number;
  readonly isGzip: boolean;
  /** At least one byte; a view into the message it was decoded from, not a copy. */
  readonly payload: Uint8Array;
}

export type LogFrameRefusal =
  | 'too_short'
  | 'too_large'
  | 'unknown_type'
  | 'unknown_flags'
  | 'channel_out_of_range'
  | 'offset_out_of_range'
  | 'empty_payload'
  | 'payload_too_large';

export type LogFrameDecoded =
  | {readonly ok: true; readonly frame: LogFrame}
  | {readonly ok: false; readonly refused: LogFrameRefusal};

/** Throws a `RangeError` for a frame that `decodeLogFrame` would refuse: sending one is a mistake of the caller. */
export function encodeLogFrame(frame: LogFrame): Uint8Array<ArrayBuffer> {
  const refused = refusalOf(frame);
  if (refused !== undefined) throw new RangeError(`log frame at ${frame.offset}: ${refused}`);
  const message = new Uint8Array(logFrameHeaderBytes + frame.payload.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, dataType);
  view.setUint8(1, frame.isGzip ? gzipFlag : 0);
  view.setUint32(2, frame.channel);
  view.setBigUint64(6, BigInt(frame.offset));
  message.set(frame.payload, logFrameHeaderBytes);
  return message;
}

/** Never throws: a message from outside is data. Reserved flag bits must be zero, so that they can get a meaning. */
export function decodeLogFrame(message: Uint8Array): LogFrameDecoded {
  if (message.length > logFrameBytesMax) return {ok: false, refused: 'too_large'};
  if (message.length < logFrameHeaderBytes) return {ok: false, refused: 'too_short'};
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (view.getUint8(0) !== dataType) return {ok: false, refused: 'unknown_type'};
  const flags = view.getUint8(1);
  if ((flags & ~gzipFlag) !== 0) return {ok: false, refused: 'unknown_flags'};
  const frame: LogFrame = {
    channel: view.getUint32(2),
    offset: Number(view.getBigUint64(6)),
    isGzip: (flags & gzipFlag) !== 0,
    payload: message.subarray(logFrameHeaderBytes),
  };
  const refused = refusalOf(frame);
  return refused === undefined ? {ok: true, frame} : {ok: false, refused};
}

function refusalOf({channel, offset, payload}: LogFrame): LogFrameRefusal | undefined {
  if (!Number.isInteger(channel) || channel < 0 || channel > 0xffff_ffff) return 'channel_out_of_range';
  // The end must be exact too: an offset that a double cannot hold would move bytes.
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(offset + logPayloadBytesMax)) {
    return 'offset_out_of_range';
  }
  if (payload.length === 0) return 'empty_payload';
  if (payload.length > logPayloadBytesMax) return 'payload_too_large';
  return undefined;
}
