import {chanceOf, type Chance} from './random.ts';

/** What an agent of this run writes: whoever knows this knows every byte of its log. */
export const streamKinds = ['text', 'ansi', 'binary', 'both'] as const;
export type StreamKind = (typeof streamKinds)[number];
export type StreamPlan = {readonly seed: string; readonly kind: StreamKind; readonly bytes: number};

export type Streams = {readonly out: Buffer; readonly err: Buffer};

/**
 * `text`: numbered lines, some empty, some long. `ansi`: colours, titles and lines that are drawn over. `binary`: any
 * byte. `both`: lines on both channels, which share no byte but the line end, so that they can be told apart again
 * however the log has put them together.
 */
export function streamsOf({seed, kind, bytes}: StreamPlan): Streams {
  const chance = chanceOf(seed);
  if (kind === 'binary') return {out: binary(chance, bytes), err: Buffer.alloc(0)};
  if (kind === 'both') {
    const [out, err] = [lines(chance, bytes / 2), lines(chance, bytes / 2)];
    return {out: inLetters(out, 'a'), err: inLetters(err, 'A')};
  }
  return {out: kind === 'text' ? lines(chance, bytes) : ansi(chance, bytes), err: Buffer.alloc(0)};
}

function binary(chance: Chance, bytes: number): Buffer {
  const made = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  for (let at = 0; at < made.length; at += 4) made.writeUInt32LE(Math.floor(chance.next() * 2 ** 32), at);
  return made.subarray(0, bytes);
}

function lines(chance: Chance, bytes: number): Buffer {
  const parts: string[] = [];
  for (let length = 0, index = 0; length < bytes; index += 1) {
    const words = chance.next() < 0.1 ? 0 : chance.between(1, chance.next() < 0.02 ? 400 : 14);
    const text = Array.from({length: words}, () => Math.floor(chance.next() * 2 ** 32).toString(16)).join(' ');
    const line = `${index} ${text}\n`;
    parts.push(line);
    length += line.length;
  }
  return Buffer.from(parts.join(''));
}

/** Every byte but a line end becomes one of the sixteen letters from `first`. */
function inLetters(text: Buffer, first: 'a' | 'A'): Buffer {
  const base = first.charCodeAt(0);
  return text.map(byte => (byte === 0x0a ? byte : base + (byte % 16))) as Buffer;
}

function ansi(chance: Chance, bytes: number): Buffer {
  const parts: string[] = [];
  for (let length = 0, index = 0; length < bytes; index += 1) {
    const word = Math.floor(chance.next() * 2 ** 32).toString(36);
    const part = chance.pick([
      `\u001b[3${index % 8}m${word} ✓\u001b[0m\r\n`,
      `\r\u001b[2K${index} ${word}`,
      `\u001b]0;${word}\u0007\u001b[1;1H${word}\n`,
      `${word}\u0008\u0008\t${word}\n`,
    ]);
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join(''));
}
