import {poolSchema, type Pool} from '../domain/id.ts';
import {equalConstantTime, fromHex, sha256Hex, toBase64, toHex, utf8, type Bytes} from './bytes.ts';
import {derivedHmacKey} from './hmac.ts';

/**
 * Credentials that name their pool and carry a MAC of the control plane's secret, so that junk is refused at the edge
 * without a lookup. The MAC proves that we made it, not that it is still valid: the Fleet of the pool settles that.
 *
 *   swy_<pool>_<id>_<secret>_<mac>   API token
 *   swe_<pool>_<id>_<secret>_<mac>   enrolment token
 *   swk_<pool>_<id>_<public>_<mac>   key id of a signer: `public` is its Ed25519 key in hex, or `hmac`
 */
export const credentialKinds = ['swy', 'swe', 'swk'] as const;
export type CredentialKind = (typeof credentialKinds)[number];

export type Credential = {
  readonly kind: CredentialKind;
  readonly pool: Pool;
  readonly id: string;
  /** The secret of a token, the public key of a signer. */
  readonly body: string;
  /** SHA-256 of the whole text, hex: what is stored in place of a token. */
  readonly hash: string;
};

export type CredentialMint = {
  readonly mint: (
    kind: CredentialKind,
    pool: Pool,
    parts: {readonly id: string; readonly body: string},
  ) => Promise<string>;
  /** `undefined` for anything that was not minted with this secret. */
  readonly open: (text: string) => Promise<Credential | undefined>;
  /** The shared secret of an HMAC signer in the form of Standard Webhooks; derived, so that nothing is stored. */
  readonly signerSecret: (keyId: string) => Promise<string>;
  /** Makes pools and their first tokens; whoever holds the secret of the installation can derive it. */
  readonly rootToken: () => Promise<string>;
  readonly isRootToken: (text: string) => Promise<boolean>;
};

const MAC_BYTES = 16;
const pattern = /^(swy|swe|swk)_([a-z0-9-]{2,40})_([0-9a-z]{8,32})_([0-9a-f]{32,64}|hmac)_([0-9a-f]{32})$/;

export async function credentialMint(secret: Bytes): Promise<CredentialMint> {
  const macKey = await derivedHmacKey(secret, 'credential');
  const signerKey = await derivedHmacKey(secret, 'signer');
  const macOf = async (text: string): Promise<Bytes> => (await macKey.sign(utf8(text))).slice(0, MAC_BYTES);

  const open = async (text: string): Promise<Credential | undefined> => {
    const match = pattern.exec(text);
    const [, kind, poolText, id, body, mac] = match ?? [];
    const pool = poolSchema.safeParse(poolText);
    const kindKnown = credentialKinds.find(each => each === kind);
    if (kindKnown === undefined || !pool.success || id === undefined || body === undefined || mac === undefined)
      return undefined;
    const expected = await macOf(text.slice(0, -(mac.length + 1)));
    if (!equalConstantTime(expected, fromHex(mac) ?? new Uint8Array())) return undefined;
    return {kind: kindKnown, pool: pool.data, id, body, hash: await sha256Hex(text)};
  };

  const rootToken = async (): Promise<string> => `swr_${toHex(await macKey.sign(utf8('root')))}`;

  return {
    open,
    rootToken,
    isRootToken: async text => equalConstantTime(utf8(text), utf8(await rootToken())),
    mint: async (kind, pool, {id, body}) => {
      const text = `${kind}_${pool}_${id}_${body}`;
      return `${text}_${toHex(await macOf(text))}`;
    },
    signerSecret: async keyId => `whsec_${toBase64(await signerKey.sign(utf8(keyId)))}`,
  };
}
