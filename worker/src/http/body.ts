import {concat, fromUtf8, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {nestsDeeper} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

const tooLarge = (bytesMax: number): SwitchyardError =>
  new SwitchyardError('body_too_large', `the body is longer than ${bytesMax} bytes`);

/**
 * The body as it was sent. Throws `body_too_large` as soon as the limit is passed, whatever Content-Length said, and
 * `body_timeout` when it is not whole in time: whoever may send a body must not send it for ever.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Bytes> {
  const declared = request.headers.get('content-length');
  if (Number(declared ?? 0) > bytesMax) throw tooLarge(bytesMax);
  // The platform ends a body where Content-Length says, unless it came in chunks; then one read costs a quarter of a loop.
  if (declared === null || request.headers.has('transfer-encoding'))
    return request.body === null ? new Uint8Array() : inTime(readChunks(request.body, bytesMax));
  const body = new Uint8Array(await inTime(request.arrayBuffer()));
  if (body.length > bytesMax) throw tooLarge(bytesMax);
  return body;
}

/** What is left of a body that is late is dropped by the platform with its connection, once the refusal was answered. */
async function inTime<Read>(reading: Promise<Read>): Promise<Read> {
  const {promise: late, reject} = Promise.withResolvers<never>();
  const refuse = (): void =>
    reject(new SwitchyardError('body_timeout', `the body was not whole after ${limits.bodyMs / 1_000} s`));
  const timer = setTimeout(refuse, limits.bodyMs);
  // What becomes of a body that nobody waits for any more is of no interest.
  reading.catch(() => undefined);
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readChunks(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    parts.push(part);
  }
  return concat(...parts);
}

/** Throws `unsupported_media_type` or `invalid_request`; an empty body is `undefined`, of any type. */
export function parseJsonBody(body: Bytes, contentType: string | undefined): unknown {
  if (body.length === 0) return undefined;
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json')
    throw new SwitchyardError(
      'unsupported_media_type',
      `the body is ${mediaType || 'of no declared type'}, not application/json`,
    );
  let text: string;
  let value: unknown;
  try {
    text = fromUtf8(body);
    value = JSON.parse(text);
  } catch (cause) {
    throw new SwitchyardError('invalid_request', 'the body is not JSON in UTF-8', {cause});
  }
  if (mayNamePrototype.test(text)) {
    if (nestsDeeper(value, limits.jsonLevelsMax))
      throw new SwitchyardError('invalid_request', `the body nests deeper than ${limits.jsonLevelsMax} levels`);
    refusePrototype(value, 'body');
  }
  return value;
}

/** Schemas leave this key out without a word, as if it had not been sent. It may be written with escapes. */
const mayNamePrototype = /__proto__|\\u00(?:5f|70|72|6f|74)/i;

function refusePrototype(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') throw new SwitchyardError('invalid_request', `${path}: the key __proto__ is not taken`);
    refusePrototype(inner, `${path}.${key.slice(0, 100)}`);
  }
}
