import {concat, fromUtf8, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const tooLarge = (bytesMax: number): SwitchyardError =>
  new SwitchyardError('body_too_large', `the body is longer than ${bytesMax} bytes`);

/** The body as it was sent. Throws `body_too_large` as soon as the limit is passed, whatever Content-Length said. */
export async function readBody(request: Request, bytesMax: number): Promise<Bytes> {
  const declared = request.headers.get('content-length');
  if (Number(declared ?? 0) > bytesMax) throw tooLarge(bytesMax);
  // The platform ends a body where Content-Length says, unless it came in chunks; then one read costs a quarter of a loop.
  if (declared === null || request.headers.has('transfer-encoding'))
    return request.body === null ? new Uint8Array() : readChunks(request.body, bytesMax);
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length > bytesMax) throw tooLarge(bytesMax);
  return body;
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
  try {
    return JSON.parse(fromUtf8(body));
  } catch (cause) {
    throw new SwitchyardError('invalid_request', 'the body is not JSON in UTF-8', {cause});
  }
}
