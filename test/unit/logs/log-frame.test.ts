import {
  decodeLogFrame,
  encodeLogFrame,
  logFrameBytesMax,
  logFrameHeaderBytes,
  logPayloadBytesMax,
} from '@switchyard/shared/protocol/log-frame.ts';
import fc from 'fast-check';
import {expect, test} from 'vitest';

test('[LF1] a frame is a big-endian header and the payload', () => {
  const message = encodeLogFrame({
    channel: 0x01020304,
    offset: 0x05_0607_0809,
    isGzip: true,
    payload: Uint8Array.of(9, 8),
  });
  expect([...message]).toEqual([1, 1, 1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9, 9, 8]);
});

test('[LF2] every frame that can be encoded decodes to itself', () => {
  const frames = fc.record({
    channel: fc.integer({min: 0, max: 0xffff_ffff}),
    offset: fc.integer({min: 0, max: Number.MAX_SAFE_INTEGER - logPayloadBytesMax}),
    isGzip: fc.boolean(),
    payload: fc.uint8Array({minLength: 1, maxLength: 300}),
  });
  fc.assert(
    fc.property(frames, fc.nat({max: 40}), (frame, before) => {
      // Decoding must honour a view that does not begin where its buffer does.
      const inside = new Uint8Array(before + logFrameHeaderBytes + frame.payload.length);
      inside.set(encodeLogFrame(frame), before);
      expect(decodeLogFrame(inside.subarray(before))).toEqual({ok: true, frame});
    }),
  );
});

const good = encodeLogFrame({channel: 0, offset: 0, isGzip: false, payload: Uint8Array.of(1)});

test.for([
  ['too_short', good.subarray(0, logFrameHeaderBytes - 1)],
  ['too_short', new Uint8Array(0)],
  ['too_large', new Uint8Array(logFrameBytesMax + 1)],
  ['unknown_type', good.with(0, 2)],
  ['unknown_flags', good.with(1, 2)],
  ['offset_out_of_range', good.with(6, 1)],
  ['empty_payload', good.subarray(0, logFrameHeaderBytes)],
  ['payload_too_large', Buffer.concat([good, new Uint8Array(logPayloadBytesMax)])],
] as const)('[LF3] a malformed frame is refused: %s', ([refused, message]) => {
  expect(decodeLogFrame(message)).toEqual({ok: false, refused});
});

test('[LF3] no bytes make the decoder throw, and the encoder refuses what the decoder would', () => {
  fc.assert(fc.property(fc.uint8Array({maxLength: 40}), bytes => void decodeLogFrame(bytes)));
  for (const wrong of [{channel: -1}, {channel: 2 ** 32}, {offset: -1}, {offset: 0.5}, {payload: new Uint8Array(0)}]) {
    expect(() => encodeLogFrame({channel: 0, offset: 0, isGzip: false, payload: Uint8Array.of(1), ...wrong})).toThrow(
      RangeError,
    );
  }
});
