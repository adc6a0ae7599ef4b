import type {Credential, CredentialMint} from '@switchyard/shared/crypto/credential.ts';

const rememberedMax = 1_000;

/**
 * A mint that checks the MAC of a credential once in the life of an isolate: two turns of Web Crypto for every request
 * cost more than the rest of authentication.
 *
 * What a text opens to follows from the text and the secret of the installation alone, and an isolate has one secret,
 * so an entry cannot become wrong. It says only that we made the text; whether it still stands is asked of the Fleet
 * every time. The map holds whole texts and hashes them with a seed of its own, so that how long a look-up takes tells
 * nothing about a text that is nearly right. Junk is not kept, and can therefore not push out what is.
 */
export function rememberingMint(mint: CredentialMint): CredentialMint {
  const opened = new Map<string, Credential>();
  return {
    ...mint,
    open: async text => {
      const known = opened.get(text);
      if (known !== undefined) return known;
      const credential = await mint.open(text);
      if (credential === undefined) return undefined;
      opened.set(text, credential);
      if (opened.size > rememberedMax) forgetFirst(opened);
      return credential;
    },
  };
}

/** The one that was opened first: a busy one that goes is back with its next request. */
function forgetFirst(opened: Map<string, Credential>): void {
  for (const text of opened.keys()) {
    opened.delete(text);
    return;
  }
}
