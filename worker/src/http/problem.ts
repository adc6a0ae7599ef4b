import type {Problem} from '@switchyard/shared/api/problem.ts';
import {errorCodes, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Outcome} from '../fleet/fleet-rpc.ts';
import {MethodNotAllowedError} from './known-routes.ts';

const DETAIL_CHARACTERS_MAX = 2_000;
const RETRY_AFTER_DEFAULT_S = 5;
const overloaded: ReadonlySet<number> = new Set([429, 503]);

/**
 * RFC 9457. Every refusal carries the time of the server, so that a runner or signer with a wrong clock can correct
 * itself, and says when to come back where that can help.
 */
export function problemResponse(
  error: SwitchyardError,
  {requestId, nowMs}: {requestId: string; nowMs: number},
): Response {
  const {status, retry, hint} = errorCodes[error.code];
  const problem: Problem = {
    type: `urn:switchyard:problem:${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status,
    code: error.code,
    detail: error.detail.slice(0, DETAIL_CHARACTERS_MAX),
    hint,
    retry,
    request_id: requestId,
  };
  const headers = new Headers({'content-type': 'application/problem+json', date: new Date(nowMs).toUTCString()});
  if (status === 401) headers.set('www-authenticate', 'Bearer');
  if (error instanceof MethodNotAllowedError) headers.set('allow', error.allowed.join(', '));
  const retryAfterS =
    error.retryAfterMs === undefined ? RETRY_AFTER_DEFAULT_S : Math.max(1, Math.ceil(error.retryAfterMs / 1_000));
  if (error.retryAfterMs !== undefined || (retry && overloaded.has(status))) {
    headers.set('retry-after', String(retryAfterS));
  }
  return new Response(JSON.stringify(problem), {status, headers});
}

/** The value of a Fleet's answer; throws its refusal as the error that the caller of the API gets. */
export function unwrap<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw new SwitchyardError(outcome.code, outcome.detail, {retryAfterMs: outcome.retryAfterMs});
}
