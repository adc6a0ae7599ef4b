const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: false});

export type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(text: string): Bytes {
  // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- Node and workerd type the result more widely
  return encoder.encode(text) as Bytes;
}

/** Throws a `TypeError` when the bytes are not UTF-8. A byte order mark at the start is dropped. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** What workerd does natively, ten times as fast as a loop, and Node 24 does not yet (ECMAScript 2026). */
type Alphabet = 'base64' | 'base64url';
type NativeEncoder = Uint8Array & {
  readonly toBase64?: (options: {readonly alphabet: Alphabet; readonly omitPadding: boolean}) => string;
  readonly toHex?: () => string;
};
type NativeDecoder = typeof Uint8Array & {
  readonly fromBase64?: (text: string, options: {readonly alphabet: Alphabet}) => Bytes;
};

export function toBase64(bytes: NativeEncoder): string {
  return bytes.toBase64?.({alphabet: 'base64', omitPadding: false}) ?? loopToBase64(bytes);
}

/** A plain loop: spreading the bytes, or a callback for each, costs ten times as much, and every signature comes here. */
function loopToBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const decoderOf: NativeDecoder = Uint8Array;

/** `undefined` where the text is not base64. */
export function fromBase64(text: string): Bytes | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? decode(text, 'base64') : undefined;
}

function decode(text: string, alphabet: Alphabet): Bytes | undefined {
  try {
    if (decoderOf.fromBase64 !== undefined) return decoderOf.fromBase64(text, {alphabet});
    const binary = atob(alphabet === 'base64' ? text : text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
    return bytes;
  } catch {
    return undefined;
  }
}

/** RFC 4648 section 5, without padding. */
export function toBase64Url(bytes: NativeEncoder): string {
  return (
    bytes.toBase64?.({alphabet: 'base64url', omitPadding: true}) ??
    loopToBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  );
}

/** The last characters whose unused bits are zero, by the length of the last group (RFC 4648 section 3.5). */
const lastByRemainder: readonly (RegExp | undefined)[] = [/^/, undefined, /[AQgw]$/, /[AEIMQUYcgkosw048]$/];

/** `undefined` where the text is not base64url in its one canonical form: two texts never mean the same bytes. */
export function fromBase64Url(text: string): Bytes | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || lastByRemainder[text.length % 4]?.test(text.slice(-1)) === false)
    return undefined;
  return decode(text, 'base64url');
}

const hexOfByte = Array.from({length: 256}, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: NativeEncoder): string {
  return bytes.toHex?.() ?? loopToHex(bytes);
}

function loopToHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += hexOfByte[byte];
  return hex;
}

export function fromHex(text: string): Bytes | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({length: text.length / 2}, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((total, {length}) => total + length, 0));
  let at = 0;
  for (const each of parts) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}

/** Time depends on the lengths only, never on the content. */
export function equalConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index += 1) difference |= (left[index] ?? 0) ^ (right[index] ?? 0);
  return difference === 0;
}

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export async function sha256Hex(text: string): Promise<string> {
  return toHex(await sha256(utf8(text)));
}
