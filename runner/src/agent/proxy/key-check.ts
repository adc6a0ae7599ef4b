import {errnoOf} from '../../state/errno.ts';
import {providers, type ProviderName} from './provider.ts';

const CHECK_MS_MAX = 15_000;

const listPath = {anthropic: '/v1/models', openai: '/v1/models', google: '/v1beta/models'} as const;

export type KeyCheck = {readonly ok: boolean; readonly detail: string};

/**
 * Asks for the list of models, which costs nothing. The detail never holds the key or what the provider wrote, and names
 * the next step where something is wrong.
 */
export async function checkKey(provider: ProviderName, key: string, url: string | undefined): Promise<KeyCheck> {
  const {upstream, keyHeader, errorShape} = providers[provider];
  try {
    const {status} = await fetch(`${url ?? upstream}${listPath[errorShape]}`, {
      headers: {
        [keyHeader]: keyHeader === 'authorization' ? `Bearer ${key}` : key,
        ...(errorShape === 'anthropic' ? {'anthropic-version': '2023-06-01'} : {}),
      },
      redirect: 'error',
      signal: AbortSignal.timeout(CHECK_MS_MAX),
    });
    return {ok: status < 300, detail: detailOf(provider, status)};
  } catch (error) {
    return {
      ok: false,
      detail: `the provider could not be reached (${whyOf(error)}): check the network, and its address in switchyard keys list`,
    };
  }
}

function detailOf(provider: ProviderName, status: number): string {
  if (status < 300) return 'the provider takes the key';
  // Google says of a wrong key that the request is wrong.
  const isRefused = status === 401 || status === 403 || (providers[provider].errorShape === 'google' && status === 400);
  if (isRefused)
    return `the provider refuses the key (${status}): make a new one there, then run switchyard keys rotate ${provider}`;
  if (status === 429 || status >= 500)
    return `the provider answered ${status}, which says nothing of the key: run the check again later`;
  return `what answers is not the API of ${provider} (${status}): give its address to switchyard keys set ${provider} --at`;
}

function whyOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? error.cause : undefined;
  return errnoOf(cause) ?? 'no connection';
}
