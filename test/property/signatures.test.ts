import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type * as z from 'zod';
import {attemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {
  fromBase64,
  fromBase64Url,
  fromHex,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
} from '@switchyard/shared/crypto/bytes.ts';
import {credentialKinds, credentialMint} from '@switchyard/shared/crypto/credential.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  importVerifyingKey,
  signBytes,
  signJws,
  unverifiedHeader,
  verifyBytes,
  verifyJws,
} from '@switchyard/shared/crypto/jws.ts';
import {
  hmacSecretBytes,
  signDispatch,
  signStandard,
  verifyRequest,
  type SignedRequest,
} from '@switchyard/shared/crypto/request-signature.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, runnerIdSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {
  CERTIFICATE_TYP,
  certificateSchema,
  connectClaimsSchema,
  DISPATCH_TYP,
  dispatchSchema,
  EXIT_TYP,
} from '@switchyard/shared/protocol/envelope.ts';
import {exitRecordSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {tries} from './fuzz-settings.ts';
import {damagedText, hostileText} from './hostile-input.ts';
import {anyText, valuesOf} from './schema-arbitrary.ts';

const secret = utf8('a secret of thirty-two bytes or more');
const key = await importSigningKey(await generatePrivateJwk());
const stranger = await importSigningKey(await generatePrivateJwk());
const keys = [await importVerifyingKey(key.publicJwk)];
const mint = await credentialMint(secret);
const seal = await attemptSeal(secret);

/** A place in a text and another character for it. */
const flip = fc.record({at: fc.nat(), bit: fc.nat({max: 6})});
type Flip = {readonly at: number; readonly bit: number};

function flipped(text: string, {at, bit}: Flip): string {
  const place = at % text.length;
  return text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ (1 << bit)) + text.slice(place + 1);
}

function flippedBytes(bytes: Uint8Array, {at, bit}: Flip): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes, (byte, index) => (index === at % bytes.length ? byte ^ (1 << bit) : byte));
}

const signedKinds: readonly {readonly name: string; readonly typ: string; readonly schema: z.ZodObject}[] = [
  {name: 'a dispatch', typ: DISPATCH_TYP, schema: dispatchSchema},
  {name: 'an exit record', typ: EXIT_TYP, schema: exitRecordSchema},
  {name: 'a certificate', typ: CERTIFICATE_TYP, schema: certificateSchema},
  {name: 'the claims of a connection', typ: 'JWT', schema: connectClaimsSchema},
];

describe.each(signedKinds)('$name', ({typ, schema}) => {
  const payloads = valuesOf(schema);

  test('[PB5] is read as it was signed, and refused with any one bit of it flipped', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, fc.option(anyText(80), {nil: undefined}), flip, async (payload, cert, change) => {
        const jws = await signJws(key, {typ, cert}, payload);
        const sent = JSON.stringify(schema.parse(payload));
        expect(JSON.stringify(await verifyJws(jws, {typ, keys, schema}))).toBe(sent);
        expect(unverifiedHeader(jws)?.kid).toBe(key.kid);
        expect(await verifyJws(flipped(jws, change), {typ, keys, schema})).toBeUndefined();
      }),
      tries(80),
    );
  });

  test('[PB5] is refused when a stranger signed it, and whatever else is sent in its place', async () => {
    const signed = await signJws(key, {typ}, schema.parse(fc.sample(payloads, {numRuns: 1, seed: 1})[0]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileText, damagedText(fc.constant(signed))), async text => {
        unverifiedHeader(text);
        expect((await verifyJws(text, {typ, keys, schema})) !== undefined).toBe(text === signed);
      }),
      tries(100),
    );
    const foreign = await signJws(stranger, {typ}, schema.parse(fc.sample(payloads, {numRuns: 1, seed: 2})[0]));
    expect(await verifyJws(foreign, {typ, keys, schema})).toBeUndefined();
  });

  test('[PB5] is refused when what was signed is not what its schema says', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, fc.nat(), async (payload, index) => {
        const names = Object.keys(payload);
        const without = Object.fromEntries(
          Object.entries(payload).filter(([name]) => name !== names[index % names.length]),
        );
        for (const wrong of [without, {...payload, surplus: 1}, [payload], {...payload, [names[0] ?? '']: [[]]}]) {
          if (schema.safeParse(wrong).success) continue;
          expect(await verifyJws(await signJws(key, {typ}, wrong), {typ, keys, schema})).toBeUndefined();
        }
      }),
      tries(20),
    );
  });
});

describe('a credential', () => {
  const pools = valuesOf(poolSchema).map(text => poolSchema.parse(text));
  const parts = fc.record({
    kind: fc.constantFrom(...credentialKinds),
    pool: pools,
    id: fc.stringMatching(/^[0-9a-z]{8,32}$/),
    body: fc.oneof(fc.stringMatching(/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/), fc.constant('hmac')),
  });

  test('[PB6] opens as what it was minted for, and not with any one bit of it flipped', async () => {
    await fc.assert(
      fc.asyncProperty(parts, flip, async ({kind, pool, id, body}, change) => {
        const text = await mint.mint(kind, pool, {id, body});
        expect(await mint.open(text)).toMatchObject({kind, pool, id, body});
        expect(await mint.open(flipped(text, change))).toBeUndefined();
      }),
      tries(150),
    );
  });

  test('[PB6] is nothing that was not minted here', async () => {
    const real = await mint.mint('swy', poolSchema.parse('main'), {id: '0123456789', body: '0'.repeat(48)});
    const root = await mint.rootToken();
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileText, damagedText(fc.constantFrom(real, root))), async text => {
        expect((await mint.open(text)) !== undefined).toBe(text === real);
        expect(await mint.isRootToken(text)).toBe(text === root);
      }),
      tries(150),
    );
  });
});

describe('a ticket and a receipt', () => {
  const claims = fc.record({
    pool: valuesOf(poolSchema).map(String),
    task: valuesOf(taskIdSchema).map(String),
    runner: valuesOf(runnerIdSchema).map(String),
    epoch: fc.integer({min: 1, max: Number.MAX_SAFE_INTEGER}),
    length: fc.nat({max: Number.MAX_SAFE_INTEGER}),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  });

  test('[PB7] hold for what they were made for and for nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(claims, claims, flip, async (made, other, change) => {
        const ticket = await seal.ticket(made);
        const receipt = await seal.receipt(made);
        expect(await seal.verifyTicket(ticket, made)).toBe(true);
        expect(await seal.verifyReceipt(receipt, made)).toBe(true);
        for (const name of ['pool', 'task', 'runner', 'epoch'] as const)
          expect(await seal.verifyTicket(ticket, {...made, [name]: other[name]})).toBe(made[name] === other[name]);
        for (const name of ['task', 'epoch', 'length', 'sha256'] as const)
          expect(await seal.verifyReceipt(receipt, {...made, [name]: other[name]})).toBe(made[name] === other[name]);
        const mac = flippedBytes(fromHex(ticket) ?? new Uint8Array(), change);
        expect(await seal.verifyTicket(toHex(mac), made)).toBe(false);
        expect(await seal.verifyReceipt(ticket, made)).toBe(false);
      }),
      tries(60),
    );
  });

  test('[PB7] are nothing that was not made here', async () => {
    const made = {pool: 'main', task: 'tsk', runner: 'rnr', epoch: 1, length: 5, sha256: 'a'};
    const ticket = await seal.ticket(made);
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileText, damagedText(fc.constant(ticket))), async text => {
        expect(await seal.verifyTicket(text, made)).toBe(text.toLowerCase() === ticket);
      }),
      tries(100),
    );
  });
});

const nowMs = 1_750_000_000_000;
type Sent = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
};

const asRequest = ({method, path, headers, body}: Sent): SignedRequest => ({
  method,
  path,
  body,
  header: name => headers[name],
});

async function accepts(sent: Sent): Promise<boolean> {
  try {
    await verifyRequest(
      asRequest(sent),
      {hmacSecrets: [secret], ed25519Hex: toHex(fromBase64Url(key.publicJwk.x) ?? new Uint8Array())},
      nowMs,
    );
    return true;
  } catch (error) {
    if (error instanceof SwitchyardError && ['bad_signature', 'stale_signature'].includes(error.code)) return false;
    throw error;
  }
}

const bodies = fc.uint8Array({minLength: 1, maxLength: 60});
const visible = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9_-]{1,${length}}$`));

const standard = fc
  .record({body: bodies, id: visible(40), keyId: visible(40)})
  .map(async ({body, id, keyId}): Promise<Sent> => {
    const headers = await signStandard(secret, {id, body, nowMs, keyId});
    return {method: 'POST', path: '/v1/tasks', headers, body};
  });

const standardByKey = fc.record({body: bodies, id: visible(40)}).map(async ({body, id}): Promise<Sent> => {
  const timestamp = String(nowMs / 1_000);
  const message = new Uint8Array(Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]));
  const signature = toBase64(fromBase64Url(await signBytes(key, message)) ?? new Uint8Array());
  const headers = {'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1a,${signature}`};
  return {method: 'POST', path: '/v1/tasks', headers, body};
});

const dispatch = fc
  .record({body: bodies, nonce: fc.stringMatching(/^[A-Za-z0-9-]{8,100}$/), isBound: fc.boolean(), keyId: visible(40)})
  .map(async ({body, nonce, isBound, keyId}): Promise<Sent> => {
    const target = isBound ? {method: 'POST', path: '/tasks?queue=false', keyId} : undefined;
    const headers = await signDispatch(secret, {nonce, body, nowMs, target});
    return {method: 'POST', path: '/tasks?queue=false', headers, body};
  });

/** What a header means: hex and base64 have more than one text for the same bytes, and a key id may be unsigned. */
function meaningOf(name: string, value: string): string {
  if (name === 'x-dispatch-signature') return value.toLowerCase();
  if (name === 'webhook-signature')
    return `${value.split(',')[0]},${toHex(fromBase64(value.split(',')[1] ?? '') ?? new Uint8Array())}`;
  return value;
}

const unsigned = new Set(['webhook-key-id']);

describe.each([
  {name: 'Standard Webhooks', requests: standard},
  {name: 'Standard Webhooks by Ed25519', requests: standardByKey},
  {name: 'X-Dispatch', requests: dispatch},
])('a request signed by $name', ({requests}) => {
  test('[PB8] is taken as it was signed, and refused with one bit flipped in any part that is signed', async () => {
    await fc.assert(
      fc.asyncProperty(requests, flip, async (signing, change) => {
        const sent = await signing;
        expect(await accepts(sent)).toBe(true);
        expect(await accepts({...sent, body: flippedBytes(sent.body, change)})).toBe(false);
        for (const [name, value] of Object.entries(sent.headers)) {
          const other = flipped(value, change);
          if (unsigned.has(name) || meaningOf(name, other) === meaningOf(name, value)) continue;
          expect(await accepts({...sent, headers: {...sent.headers, [name]: other}}), `${name}: ${other}`).toBe(false);
        }
        if (sent.headers['x-dispatch-key'] === undefined) return;
        expect(await accepts({...sent, path: flipped(sent.path, change)})).toBe(false);
        expect(await accepts({...sent, method: 'DELETE'})).toBe(false);
      }),
      tries(60),
    );
  });

  test('[PB8] is refused in the documented way, whatever its headers say', async () => {
    await fc.assert(
      fc.asyncProperty(requests, hostileText, fc.nat(), async (signing, text, index) => {
        const sent = await signing;
        const names = Object.keys(sent.headers);
        const name = names[index % names.length] ?? '';
        const headers = {...sent.headers, [name]: index % 2 === 0 ? text : `${sent.headers[name]}${text}`};
        const mayPass = unsigned.has(name) || headers[name]?.startsWith(sent.headers[name] ?? '') === true;
        expect((await accepts({...sent, headers})) && !mayPass).toBe(false);
      }),
      tries(100),
    );
  });
});

test('[PB8] a shared secret of any text has bytes, and a bare signature of any text is only right or wrong', async () => {
  const verifying = keys[0];
  if (verifying === undefined) throw new Error('a key was imported');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        hostileText,
        hostileText.map(text => `whsec_${text}`),
      ),
      async text => {
        expect(hmacSecretBytes(text)).toBeInstanceOf(Uint8Array);
        expect(await verifyBytes(verifying, utf8('said'), text)).toBe(false);
      },
    ),
    tries(100),
  );
  expect(await verifyBytes(verifying, utf8('said'), await signBytes(key, utf8('said')))).toBe(true);
});

describe('the texts for bytes', () => {
  test.for([
    {name: 'base64', write: toBase64, read: fromBase64},
    {name: 'base64url', write: toBase64Url, read: fromBase64Url},
    {name: 'hex', write: toHex, read: fromHex},
  ] as const)(
    '[PB9] $name gives back what it was made of, and nothing for what it did not write',
    ({name, write, read}) => {
      fc.assert(
        fc.property(fc.uint8Array({maxLength: 40}), bytes => {
          expect(read(write(bytes))).toEqual(bytes);
        }),
        tries(200),
      );
      fc.assert(
        fc.property(fc.oneof(hostileText, damagedText(fc.uint8Array({maxLength: 12}).map(write))), text => {
          const bytes = read(text);
          if (bytes === undefined) return;
          // Base64 may be sent with bits that mean nothing; the others have one text.
          const only = {base64: write(bytes), base64url: text, hex: text.toLowerCase()};
          expect(write(bytes)).toBe(only[name]);
          expect(read(write(bytes))).toEqual(bytes);
        }),
        tries(400),
      );
    },
  );
});
