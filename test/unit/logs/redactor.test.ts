import {generateKeyPairSync} from 'node:crypto';

import fc from 'fast-check';
import {expect, test} from 'vitest';

import {Redactor, redactWhole} from '../../../runner/src/logs/redactor.ts';
import {formsOfSecret} from '../../../runner/src/logs/secret-forms.ts';
import {secretBytesMax, Secrets} from '../../../runner/src/logs/secrets.ts';
import {referenceRedaction} from './reference-redaction.ts';

function secretsOf(...values: string[]): Secrets {
  const secrets = new Secrets();
  secrets.add(values);
  return secrets;
}

function redact(text: string, secrets: Secrets): string {
  return Buffer.from(redactWhole(Buffer.from(text), secrets)).toString();
}

/** Feeds `bytes` cut at `cuts` and joins what comes out. */
function redactInPieces(bytes: Uint8Array, cuts: readonly number[], secrets: Secrets): Buffer {
  const redactor = new Redactor(secrets);
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts].toSorted((a, b) => a - b)) {
    // The same memory is used for every piece, as a reader does with its buffer.
    const piece = Buffer.from(bytes.subarray(from, Math.min(cut, bytes.length)));
    out.push(redactor.push(piece));
    piece.fill(0);
    from = Math.max(from, Math.min(cut, bytes.length));
  }
  out.push(redactor.push(bytes.subarray(from)), redactor.flush());
  return Buffer.concat(out);
}

// Few letters and needles that overlap each other, so that random text is full of near misses.
const awkward = ['abcabc', 'bcabcabd', 'abc  abd', 'aa\nbbbb\naa', 'cabcab'];
const fragments = [
  ...['abc', 'abd', 'aa', 'bbbb', 'c', 'cab', ' ', '\n', '\r\n', '\t', ' '.repeat(256), ' '.repeat(257), '\\n', '\\'],
  ...['sk-', 'task-', 'ghp_', 'sk-ant-', 'AKIA', 'a'.repeat(15), 'b'.repeat(40), '_', '.', 'é', 'ghp_ghp_'],
  ...['-----BEGIN PRIVATE KEY-----', '-----BEGIN  RSA\nPRIVATE KEY-----', '-----END', ' PRIVATE KEY-----', '"', '%20'],
  ...awkward.flatMap(secret => formsOfSecret(secret).map(form => Buffer.from(form).toString())),
];
const texts = fc.array(fc.constantFrom(...fragments), {maxLength: 40}).map(parts => Buffer.from(parts.join('')));

test('[RX2] however the input is cut, the output is that of a search over the whole input', () => {
  const secrets = secretsOf(...awkward);
  fc.assert(
    fc.property(texts, fc.array(fc.nat({max: 2000}), {maxLength: 30}), (bytes, cuts) => {
      const expected = referenceRedaction(bytes, awkward.flatMap(formsOfSecret));
      const actual = redactInPieces(bytes, cuts, secrets);
      expect(actual.length).toBe(bytes.length);
      expect(actual.toString('latin1')).toBe(expected.toString('latin1'));
    }),
    {numRuns: 1500},
  );
});

test('[RX1] the limits of a body and of a key block are the same for every cut', () => {
  const secrets = new Secrets();
  const body = 'x'.repeat(5000);
  const block = `-----BEGIN EC PRIVATE KEY-----\n${'MIIE\n'.repeat(4000)}`;
  const bytes = Buffer.from(`ghp_${body} glpat-${body.slice(0, 4090)}glpat-${body} ${block}`);
  const expected = referenceRedaction(bytes, []);
  for (const size of [1, 7, 4096, 10_000]) {
    const cuts = Array.from({length: Math.ceil(bytes.length / size)}, (_, index) => index * size);
    expect(redactInPieces(bytes, cuts, secrets).equals(expected)).toBe(true);
  }
});

const sharp = `p"a's $wo\\rd/é%20&<x>`;

test.for([
  ['raw', sharp],
  ['JSON', JSON.stringify({sharp})],
  ['JSON in JSON', JSON.stringify(JSON.stringify({sharp}))],
  ['JSON in ASCII', JSON.stringify(sharp).replaceAll('é', '\\u00e9')],
  ['URL component', `https://host/?q=${encodeURIComponent(sharp)}`],
  ['URL, lower case', encodeURIComponent(sharp).replaceAll(/%../g, code => code.toLowerCase())],
  ['form', new URLSearchParams({q: sharp.replaceAll('*', '')}).toString()],
  ['single-quoted', `'${sharp.replaceAll("'", `'\\''`)}'`],
  ['double-quoted', `"${sharp.replaceAll(/[\\"$`]/g, '\\$&')}"`],
  ['HTML', sharp.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')],
  ['hex', Buffer.from(sharp).toString('hex')],
  ['hex, upper case', Buffer.from(sharp).toString('hex').toUpperCase()],
])('[RX3] no trace is left of a secret: %s', ([, text]) => {
  const output = redact(`before ${text} after`, secretsOf(sharp));
  expect(output.startsWith('before ')).toBe(true);
  expect(output.endsWith(' after')).toBe(true);
  // Only what surrounds the secret in its encoding may be readable.
  expect(output.replaceAll(/[*'"{}\\:?=/\s]|sharp|before|after|https|host|q/g, '')).toBe('');
});

test('[RX3] base64 hides a secret at each alignment, in both alphabets, broken into lines', () => {
  const secret = 'S3cr3t??>>~~with+tail+of+some+length+so+that+lines+break+more+than+once+in+it';
  const secrets = secretsOf(secret);
  for (const before of ['', 'u', 'us', 'use']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const output = redact(Buffer.from(`${before}${secret}!`).toString(encoding), secrets);
      // The characters at both ends depend on the neighbours too, and carry at most four bits of the secret each.
      expect(output.replaceAll('*', '').replaceAll('=', '').length).toBeLessThanOrEqual(before.length + 4);
    }
  }
  const wrapped = Buffer.from(`${secret}\n`).toString('base64').replaceAll(/.{76}/g, '$&\n');
  expect(redact(wrapped, secrets).replaceAll(/[*\n=]/g, '').length).toBeLessThanOrEqual(3);
});

test('[RX3] [RX4] a multi-line secret is masked line by line, indented, rewrapped and with other line ends', () => {
  const pem = generateKeyPairSync('ec', {namedCurve: 'P-256'})
    .privateKey.export({type: 'pkcs8', format: 'pem'})
    .toString();
  const lines = pem.trim().split('\n');
  const secrets = secretsOf(pem);
  for (const text of [
    pem,
    lines.join('\r\n'),
    lines.join('\n    '),
    lines.join(' '),
    lines[1] ?? '',
    JSON.stringify(pem),
  ]) {
    const output = redact(text, secrets);
    for (const line of lines) expect(output).not.toContain(line.slice(0, 8));
    expect(output.replaceAll(/[^\r\n]/g, '')).toBe(text.replaceAll(/[^\r\n]/g, ''));
  }
});

test('[RX4] whitespace inside a secret matches any run up to 256 bytes', () => {
  const secrets = secretsOf('correct horse');
  expect(redact('correct\r\n\t horse', secrets)).toBe('*******\r\n*******');
  expect(redact(`correct${' '.repeat(256)}horse`, secrets)).not.toContain('horse');
  expect(redact(`correct${' '.repeat(257)}horse`, secrets)).toContain('horse');
});

test.for([
  ['ghp_0123456789abcdefABCDEF0123456789abcd', 'ghp_'],
  ['github_pat_11ABCDEFG0abcdefghij_KLMNOP', 'github_pat_'],
  ['ghs_0123456789abcdef.0123.456', 'ghs_'],
  ['sk-ant-api03-abcdef_GHIJKL-0123456789', 'sk-ant-'],
  ['sk-0123456789abcdefABCDEF', 'sk-'],
  ['glpat-0123456789abcdefABCD', 'glpat-'],
  ['AKIAIOSFODNN7EXAMPLE', 'AKIA'],
  ['xoxb-123456789012-abcdefABCDEF', 'xoxb-'],
  [`swa.tsk_01arz3ndektsv4rrffq69g5fav.3.${'Ab_-'.repeat(10)}abc`, 'swa.'],
] as const)('[RX5] the token after a well-known prefix is masked: %s', ([token, prefix]) => {
  const secrets = new Secrets();
  const masked = prefix + '*'.repeat(token.length - prefix.length);
  expect(redact(`token=${token}\nnext`, secrets)).toBe(`token=${masked}\nnext`);
  expect(redact(JSON.stringify(`a\n${token}`), secrets)).toBe(`"a\\n${masked}"`);
  expect(redact(`https://x:${token}@github.com`, secrets)).toBe(`https://x:${masked}@github.com`);
});

test('[RX5] the body of a private key block is masked, in lines and in JSON, and what follows is not', () => {
  const pem = generateKeyPairSync('ed25519').privateKey.export({type: 'pkcs8', format: 'pem'}).toString();
  const body = pem.split('\n')[1] ?? '';
  for (const text of [`${pem}after it`, JSON.stringify({key: pem, next: 'after it'})]) {
    const output = redact(text, new Secrets());
    expect(output).not.toContain(body.slice(0, 6));
    expect(output).toContain('BEGIN PRIVATE KEY');
    expect(output).toContain('after it');
  }
});

test.for([
  'task-0123456789abcdefABCDEF01 and risk-aaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'tokens begin with ghp_, sk-ant- or glpat-',
  'ghp_short AKIA sk-loading-indicator-of-the-page',
  'grep "BEGIN RSA PRIVATE KEY" in the tree',
])('[RX6] text that only looks like a prefix stays: %s', text => {
  expect(redact(text, new Secrets())).toBe(text);
  // Byte by byte, what stands before a prefix has been given out already.
  const everyByte = Array.from(text, (_, index) => index);
  expect(redactInPieces(Buffer.from(text), everyByte, new Secrets()).toString()).toBe(text);
});

test('[RX7] a secret added during a run is masked from then on, also when its beginning is held already', () => {
  const secrets = secretsOf('first-secret-A');
  const redactor = new Redactor(secrets);
  const given = [redactor.push(Buffer.from('x first-secret-'))];
  expect(redactor.heldBytes).toBe('first-secret-'.length);
  secrets.add(['first-secret-B', 'second-secret']);
  given.push(
    redactor.push(Buffer.from('B second-')),
    redactor.push(Buffer.from('secret first-secret-A')),
    redactor.flush(),
  );
  expect(Buffer.concat(given).toString()).toBe('x ************** ************* **************');
});

test('[RX7] adding a secret in the middle of a token or a key block does not end its mask', () => {
  const secrets = new Secrets();
  const redactor = new Redactor(secrets);
  const given = [redactor.push(Buffer.from(`ghp_${'a'.repeat(10)}`))];
  secrets.add(['another-secret']);
  given.push(redactor.push(Buffer.from(`${'b'.repeat(20)} -----BEGIN PRIVATE KEY-----\nMII`)));
  secrets.add(['yet-another-secret']);
  given.push(redactor.push(Buffer.from('abc\n"')), redactor.flush());
  expect(Buffer.concat(given).toString()).toBe(`ghp_${'*'.repeat(30)} -----BEGIN PRIVATE KEY-----\n******\n"`);
});

test('[RX8] a short secret is reported, a too long one refused with nothing added', () => {
  const secrets = new Secrets();
  expect(secrets.add(['12345', '  1234 \n', '123456'])).toEqual({tooShort: 2});
  expect(redact('12345 123456', secrets)).toBe('12345 ******');
  expect(() => secrets.add(['good-secret', 'x'.repeat(secretBytesMax + 1)])).toThrow(
    expect.objectContaining({code: 'configuration_invalid'}),
  );
  expect(redact('good-secret', secrets)).toBe('good-secret');
});

test('[RX9] what is held back is bounded by the longest secret', () => {
  const secrets = secretsOf('abcdefghij'.repeat(20), 'with some space');
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('abcdefghij', 'with', ' ', 'some', 'ghp_', 'a', '   '), {maxLength: 60}),
      parts => {
        const redactor = new Redactor(secrets);
        for (const part of parts) {
          redactor.push(Buffer.from(part));
          expect(redactor.heldBytes).toBeLessThanOrEqual(secrets.contextBytes);
        }
      },
    ),
  );
  const redactor = new Redactor(secrets);
  redactor.push(Buffer.alloc(1_000_000, 'abcdefghij'));
  expect(redactor.heldBytes).toBeLessThanOrEqual(200 * 10);
});

test.for<[string, string, string]>([
  ['a secret of which all but one byte came', 'x hunter2-is-bi', `x ${'*'.repeat(13)}`],
  ['a secret in its form for URLs', 'x se%20cr%', `x ${'*'.repeat(8)}`],
  ['a secret that ends in the white space in it', 'x two-wo \n', `x ${'*'.repeat(7)}\n`],
  ['the body of a token that is too short to be one', 'ghp_abcdef', 'ghp_******'],
  ['a word that is shorter than a secret', 'x hunte', 'x hunte'],
  ['a beginning with something behind it', 'x hunter2-is-bi.', 'x hunter2-is-bi.'],
  ['the literal of a rule', 'x github_pat_', 'x github_pat_'],
])('[RX10] a stream that ends in %s', ([, text, shown]) => {
  expect(redact(text, secretsOf('hunter2-is-big', 'se cr et', 'two-wo rds'))).toBe(shown);
});
