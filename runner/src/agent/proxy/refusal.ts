import type {Provider} from './provider.ts';

/** Why the proxy does not pass a request on. */
export type Refusal = {
  readonly status: number;
  readonly reason:
    | 'unauthorized'
    | 'lease_lost'
    | 'path'
    | 'body_too_large'
    | 'no_key'
    | 'budget'
    | 'budget_unknown'
    | 'key_store'
    | 'upstream';
  readonly message: string;
};

/**
 * A refusal in the form that makes the agent of this provider stop at once instead of trying again: a 429 of type
 * `billing_error` with `x-should-retry: false` for Anthropic's clients, `insufficient_quota` for those of OpenAI's
 * interface. A 401 would be tried ten times.
 */
export function refusalDocument(shape: Provider['errorShape'], {status, reason, message}: Refusal): string {
  switch (shape) {
    case 'anthropic':
      return JSON.stringify({
        type: 'error',
        error: {type: reason === 'budget' ? 'billing_error' : anthropicType(status), message},
      });
    case 'openai':
      return JSON.stringify({
        error: {message, type: openaiType(reason), code: openaiType(reason), param: null},
      });
    case 'google':
      return JSON.stringify({error: {code: status, status: googleStatus(status), message}});
  }
}

export const refusalHeaders = {'content-type': 'application/json', 'x-should-retry': 'false'} as const;

const anthropicType = (status: number): string => (status === 403 ? 'permission_error' : 'invalid_request_error');

const openaiType = (reason: Refusal['reason']): string =>
  reason === 'budget' ? 'insufficient_quota' : 'invalid_request_error';

const googleStatus = (status: number): string =>
  status === 403 ? 'PERMISSION_DENIED' : status === 429 ? 'RESOURCE_EXHAUSTED' : 'FAILED_PRECONDITION';
