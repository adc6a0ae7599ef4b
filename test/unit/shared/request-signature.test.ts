import {createHmac, generateKeyPairSync, sign} from 'node:crypto';
import {describe, expect, test} from 'vitest';
import {utf8, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {
  hmacSecretBytes,
  namedKeyId,
  signatureForm,
  signDispatch,
  signStandard,
  verifyRequest,
  type SignedRequest,
  type Signer,
} from '@switchyard/shared/crypto/request-signature.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

type Headers = Readonly<Record<string, string>>;

const secret = utf8('a dispatch secret of 32 characters');
const signer: Signer = {hmacSecrets: [secret]};
const nowMs = 1_795_000_000_000;
const nonce = '0b8f7f4e-2f0c-4d4e-9a6e-5b1c7a1d2e3f';
/** Its spacing and key order survive no re-serialisation. */
const odd = '{ "b" :1,\n\t"a": "\\u0041",  "prompt":"x" , "b":2.0 }\n';

const request = (headers: Headers, body: string | Bytes, at = {method: 'POST', path: '/v1/tasks'}): SignedRequest => ({
  ...at,
  header: name => headers[name],
  body: typeof body === 'string' ? utf8(body) : body,
});
const verdict = async (it: SignedRequest, by: Signer = signer, atMs = nowMs): Promise<string> =>
  verifyRequest(it, by, atMs).then(
    ({form, nonce: seen}) => `${form} ${seen}`,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
const hex = (key: Bytes, text: string): string => createHmac('sha256', key).update(text).digest('hex');

describe('Standard Webhooks', () => {
  /** The example that the specification and its libraries publish. */
  const example = {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    body: '{"test": 2432232314}',
    atMs: 1_614_265_330_000,
    headers: {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
  };
  const by: Signer = {hmacSecrets: [hmacSecretBytes(example.secret)]};
  const seen = 'standard webhook:msg_p5jXN8AQM9LWM0D4loKWxJek';
  const withSignature = (text: string): SignedRequest =>
    request({...example.headers, 'webhook-signature': text}, example.body);

  test('[CR19] signs and verifies the published example', async () => {
    expect(await verdict(request(example.headers, example.body), by, example.atMs)).toBe(seen);
    const id = example.headers['webhook-id'];
    const body = utf8(example.body);
    const signed = await signStandard(hmacSecretBytes(example.secret), {id, body, nowMs: example.atMs + 999});
    expect(signed).toEqual(example.headers);
    const named = await signStandard(secret, {id, body, nowMs, keyId: 'swk_a'});
    expect(namedKeyId(name => named[name])).toBe('swk_a');
  });

  test('[CR20] verifies Ed25519 signatures, and only with the key of the signer', async () => {
    const {privateKey, publicKey} = generateKeyPairSync('ed25519');
    const {headers, body, atMs} = example;
    const text = utf8(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
    const it = withSignature(`v1a,${sign(null, text, privateKey).toString('base64')}`);
    const hexOf = (key: typeof publicKey) =>
      Buffer.from(key.export({format: 'jwk'}).x ?? '', 'base64url').toString('hex');
    expect(await verdict(it, {hmacSecrets: [], ed25519Hex: hexOf(publicKey)}, atMs)).toBe(seen);
    const another = hexOf(generateKeyPairSync('ed25519').publicKey);
    for (const wrong of [another, 'zz', undefined]) {
      expect(await verdict(it, {...by, ed25519Hex: wrong}, atMs)).toContain('bad_signature');
    }
    const asHmac = withSignature(`v1,${sign(null, text, privateKey).toString('base64')}`);
    expect(await verdict(asHmac, {hmacSecrets: [], ed25519Hex: hexOf(publicKey)}, atMs)).toContain('bad_signature');
  });

  test('[CR21] takes one good signature of a list, and one of two active secrets', async () => {
    const good = example.headers['webhook-signature'];
    const old = 'v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    for (const list of [`${old} ${good}`, `${good} ${old}`, `v1a,AAAA v2,x nonsense ${good}`]) {
      expect(await verdict(withSignature(list), by, example.atMs), list).toBe(seen);
    }
    const two: Signer = {hmacSecrets: [secret, ...by.hmacSecrets]};
    expect(await verdict(withSignature(good), two, example.atMs)).toBe(seen);
    expect(await verdict(withSignature(good), {hmacSecrets: [secret]}, example.atMs)).toContain('bad_signature');
    expect(await verdict(withSignature(good), {hmacSecrets: []}, example.atMs)).toContain('bad_signature');
  });

  test('[CR21] reads no more than sixteen signatures', async () => {
    const list = [...Array.from({length: 16}, () => 'v1,AAAA'), example.headers['webhook-signature']].join(' ');
    expect(await verdict(withSignature(list), by, example.atMs)).toContain('bad_signature');
  });

  test.for(['v1', 'v1,', ',', 'v1 g0hM', 'v1,g0hM9SsE', 'v0,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1;x'])(
    '[CR22] refuses the signature %j',
    async text => {
      expect(await verdict(withSignature(text), by, example.atMs)).toContain('bad_signature');
    },
  );

  test('[CR22] refuses an id with a dot or without end: the signed text could be cut elsewhere', async () => {
    for (const id of ['msg.1614265330', 'm'.repeat(201)]) {
      const headers = await signStandard(secret, {id, body: utf8(odd), nowMs});
      expect(await verdict(request(headers, odd))).toContain('webhook-id');
    }
  });
});

describe('X-Dispatch', () => {
  test('[CR23] signs exactly timestamp, nonce and raw body, in milliseconds and hex', async () => {
    const expected = {
      'x-dispatch-timestamp': String(nowMs),
      'x-dispatch-nonce': nonce,
      'x-dispatch-signature': hex(secret, `${nowMs}.${nonce}.${odd}`),
    };
    expect(await signDispatch(secret, {nonce, body: utf8(odd), nowMs})).toEqual(expected);
    expect(await verdict(request(expected, odd))).toBe(`dispatch dispatch:${nonce}`);
  });

  test('[CR24] in version 2 binds method, path and key id', async () => {
    const target = {method: 'post', path: '/tasks?queue=false', keyId: 'swk_acme_k3m9x2q7'};
    const headers = await signDispatch(secret, {nonce, body: utf8(odd), nowMs, target});
    const text = `${nowMs}.${nonce}.POST./tasks?queue=false.swk_acme_k3m9x2q7.${odd}`;
    expect(headers['x-dispatch-signature']).toBe(hex(secret, text));
    const at = {method: 'POST', path: '/tasks?queue=false'};
    expect(await verdict(request(headers, odd, at))).toContain('dispatch:');
    const without = {...headers, 'x-dispatch-key': ''};
    const changed = [
      request(headers, odd, {...at, method: 'DELETE'}),
      request(headers, odd, {...at, path: '/tasks?queue=true'}),
      request(headers, odd, {...at, path: '/tasks'}),
      request({...headers, 'x-dispatch-key': 'swk_acme_other123'}, odd, at),
      request(without, odd, at),
    ];
    for (const it of changed) expect(await verdict(it)).toContain('bad_signature');
  });

  test('[CR24] lets no other header name the key that the signature binds', () => {
    const header = (headers: Headers) => namedKeyId(name => headers[name]);
    expect(header({'x-dispatch-signature': 'a', 'x-dispatch-key': 'k'})).toBe('k');
    expect(header({'x-dispatch-signature': 'a', 'webhook-key-id': 'k'})).toBe(undefined);
    expect(header({'webhook-signature': 'a', 'webhook-key-id': 'k', 'x-dispatch-key': 'j'})).toBe('k');
    expect(header({'webhook-signature': 'a', 'x-dispatch-key': 'j'})).toBe(undefined);
  });

  test.for(['', 'short', 'a.b.c.d.e.f', 'x'.repeat(101), 'with space 12', 'line\nend-12', 'päße-1234'])(
    '[CR25] refuses the nonce %j',
    async text => {
      const headers = await signDispatch(secret, {nonce: text, body: utf8(odd), nowMs});
      expect(await verdict(request(headers, odd))).toMatch(/^bad_signature: .*x-dispatch-nonce/);
    },
  );

  test('[CR25] takes nonces of 8 to 100 letters, digits and dashes', async () => {
    for (const text of ['a'.repeat(8), 'Z-9'.repeat(33)]) {
      const headers = await signDispatch(secret, {nonce: text, body: utf8(odd), nowMs});
      expect(await verdict(request(headers, odd))).toBe(`dispatch dispatch:${text}`);
    }
  });

  test('[CR21] is good with either of two active secrets', async () => {
    const headers = await signDispatch(utf8('the new secret of the pool'), {nonce, body: utf8(odd), nowMs});
    const both: Signer = {hmacSecrets: [secret, utf8('the new secret of the pool')]};
    expect(await verdict(request(headers, odd), both)).toContain('dispatch:');
    expect(await verdict(request(headers, odd), {hmacSecrets: both.hmacSecrets.toReversed()})).toContain('dispatch:');
    expect(await verdict(request(headers, odd))).toContain('bad_signature');
  });
});

describe.each([
  {
    form: 'standard',
    stepMs: 1_000,
    names: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
    signed: async (body: Bytes): Promise<Headers> => signStandard(secret, {id: 'msg_1', body, nowMs}),
  },
  {
    form: 'dispatch',
    stepMs: 1,
    names: ['x-dispatch-timestamp', 'x-dispatch-nonce', 'x-dispatch-signature'],
    signed: async (body: Bytes): Promise<Headers> => signDispatch(secret, {nonce, body, nowMs}),
  },
])('a request of the form $form', ({form, stepMs, names, signed}) => {
  test('[CR26] is verified over the bytes that came, whatever they are', async () => {
    for (const body of [odd, '', '{}', 'not json', 'ü\u2028']) {
      expect(await verdict(request(await signed(utf8(body)), body)), body).toContain(form);
    }
    const binary = Uint8Array.from({length: 256}, (_, index) => index);
    expect(await verdict(request(await signed(binary), binary))).toContain(form);
    expect(await verdict(request(await signed(utf8(odd)), JSON.stringify(JSON.parse(odd))))).toContain('bad_signature');
  });

  test('[CR26] is refused when one byte is another, missing or too many', async () => {
    const headers = await signed(utf8(odd));
    const bytes = utf8(odd);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
      expect(await verdict(request(headers, changed)), `byte ${at}`).toContain('bad_signature');
    }
    for (const body of [odd.slice(1), odd.slice(0, -1), `${odd} `, '']) {
      expect(await verdict(request(headers, body))).toContain('bad_signature');
    }
  });

  test('[CR27] is good for five minutes to both sides and not a step longer', async () => {
    const it = request(await signed(utf8(odd)), odd);
    const windowMs = limits.signatureWindowMs;
    expect(windowMs).toBe(300_000);
    for (const apartMs of [0, windowMs, -windowMs]) {
      expect(await verdict(it, signer, nowMs + apartMs), `${apartMs} ms`).toContain(form);
    }
    for (const apartMs of [windowMs + 1, -windowMs - 1, 86_400_000]) {
      expect(await verdict(it, signer, nowMs + apartMs), `${apartMs} ms`).toContain('stale_signature');
    }
  });

  test('[CR28] is remembered for as long as it could be sent again', async () => {
    const it = request(await signed(utf8(odd)), odd);
    for (const apartMs of [-limits.signatureWindowMs, 0, limits.signatureWindowMs]) {
      const {expiresAtMs} = await verifyRequest(it, signer, nowMs + apartMs);
      expect(await verdict(it, signer, expiresAtMs)).toContain('stale_signature');
    }
  });

  test.for(['', 'now', '-1', '1e12', ' 1', '1.5', '99999999999999999', '0x10', 'NaN'])(
    '[CR27] is refused with the timestamp %j',
    async text => {
      const headers = {...(await signed(utf8(odd))), [names.find(name => name.endsWith('timestamp')) ?? '']: text};
      expect(await verdict(request(headers, odd))).toMatch(/^bad_signature: .*timestamp/);
    },
  );

  test('[CR27] is refused when its timestamp was changed within the window', async () => {
    const headers = await signed(utf8(odd));
    const name = names.find(each => each.endsWith('timestamp')) ?? '';
    const later = {...headers, [name]: String(nowMs / stepMs + 1)};
    expect(await verdict(request(later, odd))).toContain('bad_signature');
  });

  test.for(names.filter(name => !name.endsWith('signature')))('[CR29] says that %s is missing', async name => {
    const headers = Object.fromEntries(Object.entries(await signed(utf8(odd))).filter(([each]) => each !== name));
    expect(await verdict(request(headers, odd))).toBe(`bad_signature: the header ${name} is missing`);
    expect(await verdict(request({...headers, [name]: ''}, odd))).toBe(`bad_signature: the header ${name} is missing`);
  });

  test('[CR29] says that its signature is empty, and names its form', async () => {
    const name = names.find(each => each.endsWith('signature')) ?? '';
    const headers: Headers = {...(await signed(utf8(odd))), [name]: ''};
    expect(await verdict(request(headers, odd))).toBe(`bad_signature: the header ${name} is missing`);
    expect(signatureForm(each => headers[each])).toBe(form);
  });
});

test('[CR29] a request without any signature has no form and is refused', async () => {
  expect(signatureForm(() => undefined)).toBe(undefined);
  expect(await verdict(request({}, odd))).toBe('bad_signature: the header x-dispatch-timestamp is missing');
});

test('[CR30] a shared secret is base64 behind whsec_, else the text as it is', () => {
  expect(hmacSecretBytes('whsec_QUJD')).toEqual(utf8('ABC'));
  expect(hmacSecretBytes('plain text')).toEqual(utf8('plain text'));
  expect(hmacSecretBytes('whsec_not base64')).toEqual(utf8('whsec_not base64'));
});
