import * as fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {fromBase64, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {openTailBytes} from '../../../worker/src/http/utf8-boundary.ts';
import {LogEvents} from '../../../worker/src/routes/log-events.ts';

type Parsed = {id: number; from: number; text?: string; b64?: string};

function parse(event: Uint8Array): Parsed {
  const text = new TextDecoder().decode(event);
  const id = Number(/^id: (\d+)$/m.exec(text)?.[1]);
  return {id, ...JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? 'null')};
}

const bytesOf = ({text, b64}: Parsed): Uint8Array =>
  text === undefined ? (fromBase64(b64 ?? '') ?? utf8('')) : utf8(text);

const cut = (bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] => {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...parts, bytes.subarray(at)].filter(({length}) => length > 0);
};

const anyCut = fc.array(fc.integer({min: 1, max: 5}), {maxLength: 12});

describe('log bytes as events', () => {
  test('[HT22] whatever the bytes and the cuts, the events hold every byte once and their ids are its offsets', () => {
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 64}), anyCut, fc.integer({min: 0, max: 1_000}), (bytes, sizes, from) => {
        const events = new LogEvents(from);
        const told = cut(bytes, sizes).map(part => events.take(part));
        const parsed = [...told, events.flush()].filter(each => each !== undefined).map(parse);
        expect(parsed.flatMap(event => [...bytesOf(event)])).toEqual([...bytes]);
        let offset = from;
        for (const event of parsed) {
          expect(event.from).toBe(offset);
          offset += bytesOf(event).length;
          expect(event.id).toBe(offset);
        }
      }),
    );
  });

  test('[HT22] text stays text, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.string({unit: 'binary', maxLength: 24}), anyCut, (text, sizes) => {
        const bytes = utf8(text);
        const events = new LogEvents(0);
        const parsed = [...cut(bytes, sizes).map(part => events.take(part)), events.flush()]
          .filter(each => each !== undefined)
          .map(parse);
        expect(parsed.every(event => event.b64 === undefined)).toBe(true);
        expect(parsed.map(event => event.text).join('')).toBe(
          new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes),
        );
      }),
    );
  });

  test.for([
    {bytes: [], open: 0},
    {bytes: [0x41], open: 0},
    {bytes: [0x41, 0xc3], open: 1},
    {bytes: [0xc3, 0xa9], open: 0},
    {bytes: [0xe2, 0x82], open: 2},
    {bytes: [0xf0, 0x9f, 0x99], open: 3},
    {bytes: [0xf0, 0x9f, 0x99, 0x82], open: 0},
    {bytes: [0x80, 0x80, 0x80, 0x80], open: 0},
    {bytes: [0xff], open: 0},
  ])('[HT23] $bytes ends with $open bytes of an open character', ({bytes, open}) => {
    expect(openTailBytes(Uint8Array.from(bytes))).toBe(open);
  });
});
