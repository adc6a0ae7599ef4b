import {nowUs} from './measure.ts';

/** Each line begins with the clock when it was written, so that a reader in another process knows how old it is. */
export const lineBytes = 100;
const stampBytes = 16;
const varieties = 1_000;

/** Output of a build with ids in it: gzip makes about a third of it, as of real logs. */
const tails = Array.from({length: varieties}, (_, index) => {
  const id = ((index + 1) * 2_654_435_761).toString(36).padStart(10, '0').slice(-10);
  const text = ` INFO  step ${index} compiled src/module-${index % 37}/${id}.ts in ${(index * 7) % 97} ms cache=${id.slice(3)}`;
  return `${text.padEnd(lineBytes - stampBytes - 1, '.').slice(0, lineBytes - stampBytes - 1)}\n`;
});
const template = Buffer.from(tails.map(tail => '0'.repeat(stampBytes) + tail).join(''), 'latin1');

/** So many lines, all of them stamped now. */
export function linesNow(count: number): Buffer<ArrayBuffer> {
  const batch = Buffer.allocUnsafeSlow(count * lineBytes);
  const stamp = String(nowUs()).padStart(stampBytes, '0');
  for (let line = 0; line < count; line += 1) {
    const at = line * lineBytes;
    const source = (line % varieties) * lineBytes;
    template.copy(batch, at, source, source + lineBytes);
    batch.write(stamp, at, stampBytes, 'latin1');
  }
  return batch;
}

export type Seen = {readonly lines: number; readonly lastUs: number; readonly ages: readonly number[]};

/** What a reader has seen of one log: bytes in order, cut anywhere. */
export class LineReader {
  readonly #everyLine: boolean;
  #bytes = 0;
  #lastUs = 0;
  #ages: number[] = [];

  /** `everyLine`: takes the age of each line, not only of the first one in each piece. */
  constructor({everyLine}: {everyLine: boolean}) {
    this.#everyLine = everyLine;
  }

  take(piece: Uint8Array): void {
    const atUs = nowUs();
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let at = (lineBytes - (this.#bytes % lineBytes)) % lineBytes;
    for (; at + stampBytes <= buffer.length; at += lineBytes) {
      this.#ages.push(atUs - Number(buffer.toString('latin1', at, at + stampBytes)));
      if (!this.#everyLine) break;
    }
    this.#bytes += piece.byteLength;
    this.#lastUs = atUs;
  }

  get seen(): Seen {
    return {lines: Math.floor(this.#bytes / lineBytes), lastUs: this.#lastUs, ages: this.#ages};
  }
}
