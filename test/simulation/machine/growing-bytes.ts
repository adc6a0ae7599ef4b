/** A file that is appended to. */
export class GrowingBytes {
  length = 0;
  #bytes = new Uint8Array(256);

  append(bytes: Uint8Array): void {
    const end = this.length + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.length);
    this.length = end;
  }

  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  /** A view: to be used before the next append. */
  slice(from: number, to = this.length): Uint8Array {
    return this.#bytes.subarray(from, Math.min(to, this.length));
  }
}
