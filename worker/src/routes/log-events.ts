import {toBase64} from '@switchyard/shared/crypto/bytes.ts';
import {openTailBytes} from '../http/utf8-boundary.ts';

const encoder = new TextEncoder();
const strict = () => new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});

/**
 * Log bytes as server-sent events that hold every byte: `{"from","text"}` where the bytes are UTF-8, cut between
 * characters, else `{"from","b64"}`. The id of an event is the offset after its bytes, so Last-Event-ID resumes there.
 */
export class LogEvents {
  /** The beginning of a character whose rest has not come. */
  #tail: Uint8Array = new Uint8Array();
  #offset: number;

  constructor(from: number) {
    this.#offset = from;
  }

  /** Bytes that continue those before; may answer nothing while a character is open. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    const whole = new Uint8Array(this.#tail.length + bytes.length);
    whole.set(this.#tail);
    whole.set(bytes, this.#tail.length);
    const cut = whole.length - openTailBytes(whole);
    this.#tail = whole.subarray(cut);
    return cut === 0 ? undefined : this.#event(whole.subarray(0, cut));
  }

  /** Nothing follows: what is left of an open character, as bytes. */
  flush(): Uint8Array | undefined {
    const rest = this.#tail;
    this.#tail = new Uint8Array();
    return rest.length === 0 ? undefined : this.#event(rest);
  }

  #event(bytes: Uint8Array): Uint8Array {
    const from = this.#offset;
    this.#offset += bytes.length;
    return serverSentEvent({event: 'log', id: String(this.#offset), data: {from, ...content(bytes)}});
  }
}

function content(bytes: Uint8Array): {text: string} | {b64: string} {
  try {
    return {text: strict().decode(bytes)};
  } catch {
    return {b64: toBase64(bytes)};
  }
}

export function serverSentEvent({event, id, data}: {event: string; id?: string | undefined; data: object}): Uint8Array {
  return encoder.encode(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
}

/** Keeps the connection visible to everything on its way; means nothing to the reader. */
export const heartbeatComment = encoder.encode(': heartbeat\n\n');
/** How soon a reader comes back, in milliseconds, after the connection broke. */
export const retryLine = encoder.encode('retry: 2000\n\n');
