import * as z from 'zod';
import {beforeAll, describe, expect, test} from 'vitest';
import {fromBase64Url, fromUtf8, toBase64Url, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  importVerifyingKey,
  signBytes,
  signJws,
  thumbprint,
  unverifiedHeader,
  verifyBytes,
  verifyJws,
  type SigningKey,
  type VerifyingKey,
} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** RFC 8037, appendix A. */
const rfc = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
} as const;
const rfcInput = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
const rfcSignature = 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

const schema = z.strictObject({task: z.string()});
const typ = 'test+jws';
const part = (value: unknown): string => toBase64Url(utf8(JSON.stringify(value)));

let signing: SigningKey;
let stranger: SigningKey;
let keys: readonly VerifyingKey[];
let jws: string;
let parts: readonly [string, string, string];

beforeAll(async () => {
  signing = await importSigningKey(await generatePrivateJwk());
  stranger = await importSigningKey(await generatePrivateJwk());
  keys = [await importVerifyingKey(rfc), await importVerifyingKey(signing.publicJwk)];
  jws = await signJws(signing, {typ}, {task: 'a'});
  const [head = '', body = '', signature = ''] = jws.split('.');
  parts = [head, body, signature];
});

/** Signs whatever header and payload it is given, as nobody honest would. */
async function forge(header: object, payload: unknown = {task: 'a'}, key = signing): Promise<string> {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${await signBytes(key, utf8(input))}`;
}

describe('known answers', () => {
  test('[CR7] the thumbprint is that of RFC 8037 A.3, and other members do not change it', async () => {
    expect(await thumbprint(rfc)).toBe(rfc.kid);
    expect((await importVerifyingKey(rfc)).kid).toBe(rfc.kid);
  });

  test('[CR7] the signature is that of RFC 8037 A.4 and A.5', async () => {
    const key = await importSigningKey(rfc);
    expect(await signBytes(key, utf8(rfcInput))).toBe(rfcSignature);
    const verifying = await importVerifyingKey(rfc);
    expect(await verifyBytes(verifying, utf8(rfcInput), rfcSignature)).toBe(true);
    expect(await verifyBytes(verifying, utf8(`${rfcInput}A`), rfcSignature)).toBe(false);
    expect(await verifyBytes(verifying, utf8(rfcInput), rfcSignature.slice(0, -2))).toBe(false);
  });
});

describe('a signed message', () => {
  test('[CR8] is read by whoever pinned its key', async () => {
    expect(await verifyJws(jws, {typ, keys, schema})).toEqual({task: 'a'});
    expect(unverifiedHeader(jws)).toEqual({alg: 'EdDSA', typ, kid: signing.kid});
    const withCertificate = await signJws(signing, {typ, cert: 'c.c.c'}, {task: 'a'});
    expect(unverifiedHeader(withCertificate)?.cert).toBe('c.c.c');
    expect(await verifyJws(withCertificate, {typ, keys, schema})).toEqual({task: 'a'});
  });

  test('[CR9] is refused when any one character differs', async () => {
    const accepted: string[] = [];
    for (let at = 0; at < jws.length; at += 1) {
      const others = ['A', 'Q', 'g', 'w', 'z', '9', '_', '-', '.'].filter(other => other !== jws[at]);
      for (const other of others) {
        const changed = jws.slice(0, at) + other + jws.slice(at + 1);
        if ((await verifyJws(changed, {typ, keys, schema})) !== undefined) accepted.push(changed);
      }
    }
    expect(accepted).toEqual([]);
  });

  const reshaped: readonly (readonly [string, () => string])[] = [
    ['nothing', () => ''],
    ['no signature', () => `${parts[0]}.${parts[1]}`],
    ['an empty signature', () => `${parts[0]}.${parts[1]}.`],
    ['a fourth part', () => `${jws}.`],
    ['a fourth part that repeats', () => `${jws}.${parts[2]}`],
    ['a dot in front', () => `.${jws}`],
    ['a line end', () => `${jws}\n`],
    ['a space in front', () => ` ${jws}`],
    ['padding', () => `${jws}==`],
    ['the signature of other bytes', () => `${parts[0]}.${part({task: 'b'})}.${parts[2]}`],
    ['its parts exchanged', () => `${parts[1]}.${parts[0]}.${parts[2]}`],
    ['a header of no JSON', () => `${toBase64Url(utf8('{'))}.${parts[1]}.${parts[2]}`],
    ['a header of no UTF-8', () => `${toBase64Url(Uint8Array.of(0xff))}.${parts[1]}.${parts[2]}`],
  ];
  test.for(reshaped)('[CR9] is refused with %s', async ([, text]) => {
    expect(await verifyJws(text(), {typ, keys, schema})).toBe(undefined);
  });

  test('[CR10] is refused for every header but the one we write, though its signature holds', async () => {
    const good = {alg: 'EdDSA', typ, kid: signing.kid};
    expect(await verifyJws(await forge(good), {typ, keys, schema})).toEqual({task: 'a'});
    const headers = [
      {...good, alg: 'none'},
      {...good, alg: 'HS256'},
      {...good, alg: 'eddsa'},
      {...good, typ: 'switchyard-exit+jws'},
      {...good, typ: undefined},
      {...good, kid: stranger.kid},
      {...good, kid: undefined},
      {...good, crit: ['b64'], b64: false},
      {...good, jwk: signing.publicJwk},
      {...good, cert: 1},
      [],
    ];
    for (const header of headers) {
      expect(await verifyJws(await forge(header), {typ, keys, schema}), JSON.stringify(header)).toBe(undefined);
    }
  });

  test('[CR10] is refused without signature, whatever its algorithm says', async () => {
    const input = `${part({alg: 'none', typ, kid: signing.kid})}.${part({task: 'a'})}`;
    expect(await verifyJws(`${input}.`, {typ, keys, schema})).toBe(undefined);
  });

  test('[CR10] is refused from a key that nobody pinned, also when it borrows a pinned kid', async () => {
    const own = {alg: 'EdDSA', typ, kid: stranger.kid};
    expect(await verifyJws(await forge(own, {task: 'a'}, stranger), {typ, keys, schema})).toBe(undefined);
    const borrowed = {...own, kid: signing.kid};
    expect(await verifyJws(await forge(borrowed, {task: 'a'}, stranger), {typ, keys, schema})).toBe(undefined);
    expect(await verifyJws(jws, {typ, keys: [], schema})).toBe(undefined);
  });

  test.for([{task: 'a', only: 'weekdays'}, {}, {task: 1}, null, [], 'a'])(
    '[CR11] with the payload %j is refused: an unknown signed field may be a restriction',
    async payload => {
      const header = {alg: 'EdDSA', typ, kid: signing.kid};
      expect(await verifyJws(await forge(header, payload), {typ, keys, schema})).toBe(undefined);
    },
  );

  test('[CR8] holds the bytes that its writer gave', async () => {
    expect(fromUtf8(fromBase64Url(parts[1]) ?? utf8(''))).toBe('{"task":"a"}');
  });
});

describe('a signing key', () => {
  test.for([
    ['another kid', {...rfc, kid: 'mine'}],
    ['no kid', {...rfc, kid: undefined}],
    ['a public key of another', {...rfc, x: 'AAqYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}],
    ['a short private key', {...rfc, d: 'nWGx'}],
    ['no private key', {...rfc, d: undefined}],
    ['another curve', {...rfc, crv: 'X25519'}],
    ['another type', {...rfc, kty: 'EC'}],
    ['no object', 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'],
  ] as const)('[CR12] with %s is refused, and the refusal does not show it', async ([, jwk]) => {
    const refusal: unknown = await importSigningKey(jwk).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SwitchyardError);
    expect(refusal).toMatchObject({code: 'configuration_invalid'});
    expect(String(refusal)).not.toContain(rfc.d.slice(0, 4));
  });

  test('[CR12] that was made here imports, under its thumbprint', async () => {
    const jwk = await generatePrivateJwk();
    expect((await importSigningKey(jwk)).kid).toBe(await thumbprint(jwk));
  });
});
