import fc from 'fast-check';
import {expect, test} from 'vitest';
import {eventStreamParser, type ServerEvent} from '@switchyard/shared/api/event-stream.ts';

const encoder = new TextEncoder();

function parse(chunks: readonly Uint8Array[]): readonly ServerEvent[] {
  const parser = eventStreamParser();
  return chunks.flatMap(chunk => parser.push(chunk));
}

test('[CT1] an event has the fields of the standard, and lines may end in LF, CRLF or CR', () => {
  const forms = ['\n', '\r\n', '\r'];
  for (const end of forms) {
    const text = ['event: log', 'id: 12', 'data: a', 'data: b', '', ': comment', 'retry: 5', 'data', '', 'x'].join(end);
    expect(parse([encoder.encode(text)])).toEqual([
      {event: 'log', id: '12', data: 'a\nb'},
      {event: 'message', id: '12', data: ''},
    ]);
  }
});

test('[CT1] an event without data is not an event, but its id is remembered', () => {
  expect(parse([encoder.encode('id: 7\n\nevent: end\n\ndata: x\n\n')])).toEqual([
    {event: 'message', id: '7', data: 'x'},
  ]);
});

test('[CT1] only one space after the colon belongs to the format', () => {
  expect(parse([encoder.encode('data:  two\ndata:none\n\n')])[0]?.data).toBe(' two\nnone');
});

const value = fc.string({unit: 'binary', maxLength: 30}).map(text => text.replaceAll(/[\r\n\0]/g, ''));
const event = fc.record({
  name: fc.constantFrom('log', 'end'),
  id: fc.nat(),
  data: fc.array(value, {minLength: 1, maxLength: 3}),
});

test('[CT2] however the bytes are cut, also inside a character or between CR and LF, the events are the same', () => {
  fc.assert(
    fc.property(
      fc.array(event, {maxLength: 5}),
      fc.constantFrom('\n', '\r\n'),
      fc.infiniteStream(fc.integer({min: 1, max: 9})),
      (events, end, sizes) => {
        const text = events
          .map(({name, id, data}) =>
            [`event: ${name}`, `id: ${id}`, ...data.map(line => `data: ${line}`), '', ''].join(end),
          )
          .join('');
        const bytes = encoder.encode(text);
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const expected = parse([bytes]);
        expect(parse(chunks)).toEqual(expected);
        expect(expected.map(({event: name, id}) => [name, Number(id)])).toEqual(events.map(({name, id}) => [name, id]));
      },
    ),
  );
});

test('[CT3] a stream whose events never end is refused instead of kept', () => {
  const parser = eventStreamParser();
  const chunk = encoder.encode(`data: ${'x'.repeat(100_000)}\n`);
  expect(() => {
    for (let count = 0; count < 20; count += 1) parser.push(chunk);
  }).toThrow(expect.objectContaining({code: 'unavailable'}));
});
