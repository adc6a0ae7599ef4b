import {providers, type ProviderName} from './provider.ts';

const CHECK_MS_MAX = 15_000;

const listPath = {anthropic: '/v1/models', openai: '/v1/models', google: '/v1beta/models'} as const;

/** Asks for the list of models, which costs nothing. The detail never holds the key or what the provider wrote. */
export async function checkKey(
  provider: ProviderName,
  key: string,
  url: string | undefined,
): Promise<{readonly ok: boolean; readonly detail: string}> {
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
    if (status < 300) return {ok: true, detail: 'the provider takes the key'};
    if (status === 401 || status === 403) return {ok: false, detail: `the provider refuses the key (${status})`};
    return {ok: false, detail: `the provider answered ${status}`};
  } catch {
    return {ok: false, detail: 'the provider could not be reached'};
  }
}
