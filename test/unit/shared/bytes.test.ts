import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  concat,
  equalConstantTime,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  sha256Hex,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
} from '@switchyard/shared/crypto/bytes.ts';
import {derivedHmacKey, hmacKey} from '@switchyard/shared/crypto/hmac.ts';

const bytes = fc.uint8Array({maxLength: 300});

describe.each([
  {name: 'base64', encode: toBase64, decode: fromBase64, reference: 'base64'},
  {name: 'base64url', encode: toBase64Url, decode: fromBase64Url, reference: 'base64url'},
  {name: 'hex', encode: toHex, decode: fromHex, reference: 'hex'},
] as const)('$name', ({encode, decode, reference}) => {
  test('[CR1] decodes to what was encoded, and is what everybody else writes', () => {
    const property = fc.property(bytes, input => {
      const text = encode(input);
      expect(text).toBe(Buffer.from(input).toString(reference));
      expect(decode(text)).toEqual(Uint8Array.from(input));
    });
    fc.assert(property);
  });

  test('[CR1] holds for more bytes than a call has arguments', () => {
    const large = new Uint8Array(300_000).map((_, index) => index % 251);
    expect(decode(encode(large))).toEqual(large);
  });

  test('[CR2] answers undefined for any text that is not its own, and never throws', () => {
    // Padding, the unused bits of the last character and the case of hexadecimal digits may differ.
    const core = (text: string): string => text.toLowerCase().replaceAll('=', '').slice(0, -1);
    const property = fc.property(fc.string({unit: 'binary', maxLength: 40}), text => {
      const decoded = decode(text);
      expect(decoded === undefined || core(encode(decoded)) === core(text)).toBe(true);
    });
    fc.assert(property, {numRuns: 2_000});
    for (const text of ['\n', 'a b=', 'QUJD\n', '====', 'é', '\u{1f511}', 'A\0', 'zz ', '0-x_+']) {
      expect(decode(text), JSON.stringify(text)).toBe(undefined);
    }
  });
});

test.for(['A', 'QR', 'QQ==', 'QUK', 'QUJDR', '+/8'])(
  '[CR3] base64url refuses %s: two texts never mean the same',
  text => {
    expect(fromBase64Url(text)).toBe(undefined);
  },
);

test('[CR3] a base64url text that decodes is the one that encodes', () => {
  const texts = fc.string({unit: fc.constantFrom('A', 'E', 'Q', 'g', 'w', 'Z', '9', '-', '_'), maxLength: 12});
  fc.assert(
    fc.property(texts, text => {
      const decoded = fromBase64Url(text);
      expect(decoded === undefined || toBase64Url(decoded) === text).toBe(true);
    }),
  );
  expect(fromBase64Url('QQ')).toEqual(utf8('A'));
});

test('[CR2] hex needs whole bytes', () => {
  expect(fromHex('abc')).toBe(undefined);
  expect(fromHex('AbCd')).toEqual(Uint8Array.of(0xab, 0xcd));
  expect(fromHex('')).toEqual(new Uint8Array());
});

test('[CR2] bytes that are no UTF-8 throw instead of turning into other text', () => {
  expect(() => fromUtf8(Uint8Array.of(0xc3, 0x28))).toThrow(TypeError);
  expect(fromUtf8(utf8('Grüße \u{1f511}'))).toBe('Grüße \u{1f511}');
});

test('[CR4] bytes are equal when all are, whatever the lengths', () => {
  const one = fc.uint8Array({maxLength: 6, max: 3});
  fc.assert(
    fc.property(one, one, (left, right) => {
      expect(equalConstantTime(left, right)).toBe(Buffer.compare(left, right) === 0);
    }),
    {numRuns: 3_000},
  );
});

test('[CR4] one different bit, a missing end and a zero too many are seen', () => {
  const mac = Uint8Array.from({length: 32}, (_, index) => index * 7);
  for (let bit = 0; bit < mac.length * 8; bit += 1) {
    const flipped = mac.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    expect(equalConstantTime(mac, flipped), `bit ${bit}`).toBe(false);
  }
  expect(equalConstantTime(mac, mac.slice(0, 31))).toBe(false);
  expect(equalConstantTime(mac, concat(mac, Uint8Array.of(0)))).toBe(false);
  expect(equalConstantTime(new Uint8Array(), mac)).toBe(false);
});

test('[CR1] parts are joined in their order', () => {
  expect(concat(utf8('ab'), new Uint8Array(), utf8('c'))).toEqual(utf8('abc'));
});

test('[CR5] hashes and MACs are those of the standards', async () => {
  // FIPS 180-2, appendix B.1; RFC 4231, test case 2.
  expect(await sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const key = await hmacKey(utf8('Jefe'));
  const mac = await key.sign(utf8('what do ya want for nothing?'));
  expect(toHex(mac)).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  expect(await key.verify(utf8('what do ya want for nothing?'), mac)).toBe(true);
  expect(await key.verify(utf8('what do ya want for nothing!'), mac)).toBe(false);
  expect(await key.verify(utf8('what do ya want for nothing?'), mac.slice(0, 16))).toBe(false);
});

test('[CR6] a MAC made for one purpose is worthless for another, and for the secret itself', async () => {
  const secret = utf8('one secret of the installation');
  const keys = await Promise.all([
    derivedHmacKey(secret, 'ticket'),
    derivedHmacKey(secret, 'receipt'),
    hmacKey(secret),
  ]);
  const macs = await Promise.all(keys.map(async key => toHex(await key.sign(utf8('message')))));
  expect(new Set(macs).size).toBe(keys.length);
  const again = await derivedHmacKey(secret, 'ticket');
  expect(toHex(await again.sign(utf8('message')))).toBe(macs[0]);
});
