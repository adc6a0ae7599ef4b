import assert from 'node:assert/strict';
import {gzipSync} from 'node:zlib';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {decideLogAppend} from '@switchyard/shared/domain/log-append.ts';
import {decodeLogFrame, encodeLogFrame} from '@switchyard/shared/protocol/log-frame.ts';
import {contentOfMember} from '../../worker/src/tasklog/gzip-member.ts';
import {tries} from './fuzz-settings.ts';
import {damagedBytes, hostileBytes} from './hostile-input.ts';

const bytesMax = 131_072;
const contents = fc.uint8Array({minLength: 1, maxLength: 300});
const frames = fc
  .record({channel: fc.nat(), offset: fc.nat({max: 2 ** 52}), isGzip: fc.boolean(), payload: contents})
  .map(encodeLogFrame);

function contentOf(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return contentOfMember(bytes, bytesMax);
  } catch {
    return undefined;
  }
}

describe('a chunk of a log', () => {
  test('[PB19] in gzip is read as it was packed, and refused in any other form and with any byte behind it', () => {
    fc.assert(
      fc.property(contents, fc.uint8Array({minLength: 1, maxLength: 9}), (content, more) => {
        const packed = gzipSync(content);
        expect(contentOf(packed)).toEqual(Buffer.from(content));
        for (const spoiled of [
          [packed, more],
          [packed, packed],
          [gzipSync(new Uint8Array()), packed],
          [packed, gzipSync(new Uint8Array())],
        ])
          expect(contentOf(Buffer.concat(spoiled))).toBeUndefined();
      }),
      tries(60),
    );
    fc.assert(
      fc.property(fc.oneof(hostileBytes, damagedBytes(contents.map(content => gzipSync(content)))), bytes => {
        const content = contentOf(bytes);
        const header = 10;
        expect(
          content === undefined ||
            Buffer.from(gzipSync(content))
              .subarray(0, 4)
              .equals(Buffer.from(bytes.subarray(0, 4))),
        ).toBe(true);
        expect(content === undefined || bytes.length > header).toBe(true);
      }),
      tries(300),
    );
  });

  test('[PB19] in a frame of any bytes is decoded to what encodes to the same bytes, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(hostileBytes, damagedBytes(frames), frames), bytes => {
        const decoded = decodeLogFrame(bytes);
        expect(decoded.ok ? Buffer.from(encodeLogFrame(decoded.frame)) : Buffer.from(bytes)).toEqual(
          Buffer.from(bytes),
        );
      }),
      tries(400),
    );
  });
});

/** The log of a sender and what the other side has of it. */
type Real = {stored: number[]};
type Model = {text: number[]};

class Send implements fc.Command<Model, Real> {
  readonly offset: number;
  readonly length: number;
  constructor(offset: number, length: number) {
    this.offset = offset;
    this.length = length;
  }
  check = (): boolean => true;
  run({text}: Model, real: Real): void {
    const piece = text.slice(this.offset, this.offset + this.length);
    const before = [...real.stored];
    const verdict = decideLogAppend(real.stored.length, {offset: this.offset, bytes: piece.length});
    if (verdict.kind === 'append') real.stored.push(...piece.slice(verdict.skip));
    assert.equal(verdict.len, real.stored.length);
    assert.deepEqual(real.stored, text.slice(0, real.stored.length));
    // The reference: bytes that leave no gap, laid over what is there, in an array by place.
    const laid = this.offset > before.length ? before : [...before];
    if (this.offset <= before.length) for (const [index, byte] of piece.entries()) laid[this.offset + index] = byte;
    assert.deepEqual(real.stored, laid);
    assert.equal(verdict.kind === 'nack', this.offset > before.length);
  }
  toString = (): string => `send ${this.length} bytes at ${this.offset}`;
}

class Write implements fc.Command<Model, Real> {
  readonly bytes: readonly number[];
  constructor(bytes: readonly number[]) {
    this.bytes = bytes;
  }
  check = (): boolean => true;
  run(model: Model): void {
    model.text.push(...this.bytes);
  }
  toString = (): string => `write ${this.bytes.length} bytes`;
}

test('[PB19] is kept as a prefix of what was written, whatever is lost, repeated, reordered or cut', () => {
  const commands = fc.commands(
    [
      fc.array(fc.nat({max: 255}), {minLength: 1, maxLength: 9}).map(bytes => new Write(bytes)),
      fc.tuple(fc.nat({max: 60}), fc.integer({min: 1, max: 20})).map(([offset, length]) => new Send(offset, length)),
    ],
    {maxCommands: 60},
  );
  fc.assert(
    fc.property(commands, list => {
      fc.modelRun(() => ({model: {text: []}, real: {stored: []}}), list);
    }),
    tries(300),
  );
});
