/**
 * Secrets that nobody registered, known by how they begin. A rule is a literal and a body: when at least `bodyBytesMin`
 * bytes of the class follow the literal, the body is masked (the literal stays readable: it says what was hidden).
 */
export interface TokenRule {
  readonly literal: string;
  readonly body: BodyClass;
  readonly bodyBytesMin: number;
  /** Masking stops here; it also bounds how far back a restarted redactor must read. */
  readonly bodyBytesMax: number;
  /** The literal must not continue a word: `task-…` is not `sk-…`. */
  readonly startsWord: boolean;
}

export type BodyClass = 'alphanumeric' | 'token' | 'pem';

/** Ends every `pem` body, and is still masked. */
export const pemEnd = '-----END';

export const tokenBytesMax = 4096;
export const pemBytesMax = 16 * 1024;

const distinct =
  'ghp_ gho_ ghs_ ghu_ ghr_ github_pat_ sk-ant- sk-proj- sk-svcacct- sk-admin- sk-or-v1- glpat- xoxb- xoxp- xapp-'.split(
    ' ',
  );

const pemLabels = ['', 'RSA ', 'EC ', 'DSA ', 'OPENSSH ', 'ENCRYPTED '];

export const tokenRules: readonly TokenRule[] = [
  ...distinct.map(literal => token(literal, 'token', 16)),
  // What opens this control plane, and the private part of a key in JSON (RFC 8037): the machine of an agent has them.
  ...['swy_', 'swe_', 'swr_', 'swa.'].map(literal => token(literal, 'token', 24)),
  ...['"d":"', '"d": "'].map(literal => token(literal, 'token', 40)),
  {...token('sk-', 'alphanumeric', 20), startsWord: true},
  token('AKIA', 'alphanumeric', 16),
  token('ASIA', 'alphanumeric', 16),
  ...pemLabels.map(label => pem(`-----BEGIN ${label}PRIVATE KEY-----`)),
  pem('-----BEGIN PGP PRIVATE KEY BLOCK-----'),
];

function token(literal: string, body: BodyClass, bodyBytesMin: number): TokenRule {
  return {literal, body, bodyBytesMin, bodyBytesMax: tokenBytesMax, startsWord: false};
}

/**
 * A key block has no least length, so nothing is held back for it. A quote or a bracket ends it, so that source code
 * which only mentions the header does not hide what follows.
 */
function pem(literal: string): TokenRule {
  return {literal, body: 'pem', bodyBytesMin: 1, bodyBytesMax: pemBytesMax, startsWord: false};
}

const bodyPatterns: Record<BodyClass, RegExp> = {
  alphanumeric: /[A-Za-z0-9]/,
  token: /[A-Za-z0-9_.-]/,
  pem: /[A-Za-z0-9+/=\\:,\t\n\v\f\r -]/,
};

/** One entry per byte value: 1 where the byte can be part of such a body. */
export const bodyBytes: Record<BodyClass, Uint8Array> = {
  alphanumeric: membership(bodyPatterns.alphanumeric),
  token: membership(bodyPatterns.token),
  pem: membership(bodyPatterns.pem),
};

function membership(pattern: RegExp): Uint8Array {
  return Uint8Array.from({length: 256}, (_, byte) => (pattern.test(String.fromCharCode(byte)) ? 1 : 0));
}
