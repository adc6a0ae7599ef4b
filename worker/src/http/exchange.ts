import type {SignedRequest} from '@switchyard/shared/crypto/request-signature.ts';
import type {Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {toHex} from '@switchyard/shared/crypto/bytes.ts';
import type {RandomBytes} from '@switchyard/shared/domain/id.ts';

export const headerOf =
  (request: Request): SignedRequest['header'] =>
  name =>
    request.headers.get(name) ?? undefined;

/** A request as a signature sees it. Most callers have none, so its path is read where it is asked for. */
export function signedView(request: Request, body: Bytes): SignedRequest {
  return {
    method: request.method,
    get path() {
      const {pathname, search} = new URL(request.url);
      return pathname + search;
    },
    header: headerOf(request),
    body,
  };
}

/** The id that the client chose, where it is harmless in a log; else a new one. */
export function requestIdOf(request: Request, randomBytes: RandomBytes): string {
  const given = request.headers.get('x-request-id') ?? '';
  return /^[A-Za-z0-9._-]{8,64}$/.test(given) ? given : toHex(randomBytes(12));
}
