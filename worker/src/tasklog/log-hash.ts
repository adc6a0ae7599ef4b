import {createHash, type Hash} from 'node:crypto';
import {rawBytesFrom, type AttemptRange, type LogStore} from './log-store.ts';

/**
 * SHA-256 of one attempt's bytes, kept while they arrive, so that the end of a long log costs nothing. Memory only:
 * after an eviction it is made again from the rows.
 */
export class LogHash {
  #hash: Hash | undefined;
  #epoch = 0;
  #length = 0;

  /** `length` is where the bytes stand in the attempt; bytes that do not continue what was hashed end the memory. */
  add(epoch: number, length: number, bytes: Uint8Array): void {
    if (length === 0) {
      this.#hash = createHash('sha256');
      this.#epoch = epoch;
      this.#length = 0;
    }
    if (this.#hash === undefined || this.#epoch !== epoch || this.#length !== length) {
      this.#hash = undefined;
      return;
    }
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** Hex. Forgets what it held: an attempt ends once. */
  digest(store: LogStore, {epoch, base, length}: AttemptRange): string {
    const isCurrent = this.#hash !== undefined && this.#epoch === epoch && this.#length === length;
    const hash = isCurrent && this.#hash !== undefined ? this.#hash : rehash(store, base, base + length);
    this.#hash = undefined;
    return hash.digest('hex');
  }
}

function rehash(store: LogStore, from: number, to: number): Hash {
  const hash = createHash('sha256');
  for (let at = from; at < to;) {
    const chunk = store.chunkAt(at);
    if (chunk === undefined) break;
    hash.update(rawBytesFrom(chunk, at).subarray(0, to - at));
    at = chunk.start + chunk.rawBytes;
  }
  return hash;
}
