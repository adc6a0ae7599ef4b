import {expect} from 'vitest';
import {fromBase64, utf8} from '@switchyard/shared/crypto/bytes.ts';

export type Event = {
  event: string;
  id: string | undefined;
  data: {from?: number; text?: string; b64?: string; state?: string; status?: string};
};

/** Reads events until `isLast` says so, then lets the stream go. */
export async function readEvents(response: Response, isLast: (event: Event) => boolean): Promise<Event[]> {
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  const decoder = new TextDecoder();
  const events: Event[] = [];
  let text = '';
  for (;;) {
    const {done, value} = await reader.read();
    text += value === undefined ? '' : decoder.decode(value, {stream: true});
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks.filter(each => each.includes('data: '))) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      events.push({event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null')});
    }
    const last = events.at(-1);
    if (done || (last !== undefined && isLast(last))) {
      await reader.cancel();
      return events;
    }
  }
}

/** The bytes of the log that these events hold. */
export const bytesOf = (events: readonly Event[]): Uint8Array =>
  Uint8Array.from(
    events
      .filter(({event}) => event === 'log')
      .flatMap(({data}) => [...(data.text === undefined ? (fromBase64(data.b64 ?? '') ?? utf8('')) : utf8(data.text))]),
  );
