const LINE_BYTES_MAX = 1_048_576;

/** Cuts a byte stream into lines of text for a driver; a longer line is handed on in pieces, so that memory is bounded. */
export class LineSplitter {
  readonly #decoder = new TextDecoder();
  #open = '';

  push(bytes: Uint8Array): readonly string[] {
    const text = this.#open + this.#decoder.decode(bytes, {stream: true});
    const lines = text.split('\n');
    this.#open = lines.pop() ?? '';
    if (this.#open.length <= LINE_BYTES_MAX) return lines;
    lines.push(this.#open);
    this.#open = '';
    return lines;
  }

  /** The last line, if it did not end. */
  end(): readonly string[] {
    const rest = this.#open + this.#decoder.decode();
    this.#open = '';
    return rest === '' ? [] : [rest];
  }
}
