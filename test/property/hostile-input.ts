import fc from 'fast-check';

/** What the outside sends when it means harm or is broken: nothing here is an input that anybody promised to send. */

const deep = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels);

/** Fragments that have broken readers of text, of JSON and of lines. */
const fragments: readonly string[] = [
  ...['', '\0', '\n', '\r\n', '\r', '\t', ' ', '"', '\\', '\u2028', '\ufeff', '\ufffd', '\ud800', '\udfff\ud800', '漢'],
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '[[[[',
    '{"a":',
    '}}}}',
    'null',
    'true',
    'NaN',
    'Infinity',
    '-',
    '--',
    '..',
    '%',
    '%00',
  ],
  ...['1e999', '-1e999', '-0', '0.1e-400', '9007199254740993', '123456789012345678901234567890', '1.5', '00', '0x10'],
  ...[
    '"__proto__":{"t":"go"},',
    '"constructor":1,',
    '"toString":null,',
    '"t":"ack",',
    '"t":1,',
    '"\\ud800"',
    '"\\u0000"',
  ],
  ...[
    '$(id)',
    '`id`',
    ';',
    '|',
    '&&',
    '*',
    '**',
    '../',
    '/etc/passwd',
    'file://',
    '@',
    '://',
    'data: ',
    'id: 1',
    'event: log',
  ],
];

/** JSON that no schema describes but every parser must survive. */
const oddJson: readonly string[] = [
  ...[
    'null',
    '0',
    '-0',
    '1e999',
    '""',
    '[]',
    '{}',
    '[null]',
    '{"":null}',
    '{"__proto__":null}',
    '{"__proto__":{"t":"drain"}}',
  ],
  ...[
    '{"t":"drain","t":"go"}',
    '{"t":{"toString":1}}',
    '{"t":["drain"]}',
    '{"m":{"length":1}}',
    '{"m":[[]]}',
    '{"m":[null]}',
  ],
  ...['{"hasOwnProperty":1,"toString":1,"valueOf":1,"toJSON":1,"then":1}', '"\\ud800"', '{"\\ud800":"\\udc00"}'],
  ...[
    deep('[', ']', 20_000),
    deep('{"a":', '}', 20_000).replace(':}', ':1}'),
    '['.repeat(100_000),
    '{"a":'.repeat(50_000),
  ],
  ...[
    `[${'0,'.repeat(5_000)}0]`,
    `{${'"a":1,'.repeat(2_000)}"a":2}`,
    `"${'\\u0000'.repeat(2_000)}"`,
    '9'.repeat(5_000),
  ],
];

export const hostileBytes: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc.oneof(
  fc.uint8Array({maxLength: 200}),
  fc.constantFrom(...fragments, ...oddJson).map(text => new Uint8Array(Buffer.from(text))),
);

/** Text of any kind: code units at will, fragments put together, and JSON of a kind. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.integer({min: 0, max: 0xffff}), {maxLength: 60}).map(units => String.fromCharCode(...units)),
  fc.string({maxLength: 60}),
  fc.array(fc.constantFrom(...fragments), {maxLength: 12}).map(parts => parts.join('')),
  fc.constantFrom(...oddJson),
  fc.json({maxDepth: 3}),
);

type Damage = {readonly at: number; readonly length: number; readonly kind: number; readonly with: string};

const damage: fc.Arbitrary<Damage> = fc.record({
  at: fc.nat(),
  length: fc.nat({max: 12}),
  kind: fc.nat({max: 4}),
  with: fc.constantFrom(...fragments),
});

/** A text that was right and then suffered: bits flipped, cut, doubled, spliced. It may be right again. */
export function damagedText(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(valid, valid, fc.array(damage, {minLength: 1, maxLength: 3})).map(([text, other, damages]) =>
    damages.reduce((whole, {at, length, kind, with: fragment}) => {
      const from = at % (whole.length + 1);
      const to = Math.min(whole.length, from + length);
      const middle = [
        String.fromCharCode(whole.charCodeAt(from) ^ (1 << (length % 8))),
        '',
        whole.slice(from, to).repeat(2),
        fragment,
        other.slice(at % (other.length + 1)),
      ][kind];
      return whole.slice(0, from) + (middle ?? '') + whole.slice(kind === 0 ? from + 1 : to);
    }, text),
  );
}

/** The same for bytes. */
export function damagedBytes(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  return damagedText(valid.map(latin1)).map(text => new Uint8Array(Buffer.from(text, 'latin1')));
}

const surprises: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, '', '\ud800', '__proto__', [], {}, [[]], [null], 0, -1, 0.5, 2 ** 53, 1e300, -1e300],
    ...[{length: 1}, {t: 'drain'}, 'x'.repeat(5_000)],
  ),
  fc.jsonValue({maxDepth: 2}),
);

type Change = {
  readonly steps: readonly number[];
  readonly kind: number;
  readonly value: unknown;
  readonly name: string;
};

const change: fc.Arbitrary<Change> = fc.record({
  steps: fc.array(fc.nat(), {maxLength: 4}),
  kind: fc.nat({max: 3}),
  value: surprises,
  name: fc.constantFrom(
    'surplus',
    '__proto__',
    'constructor',
    'toString',
    't',
    'task',
    'epoch',
    'version',
    'kid',
    'alg',
  ),
});

/** A value that was right with a member changed, taken away, added or renamed somewhere inside, as JSON text. */
export function disturbedJson(valid: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc
    .tuple(valid, fc.array(change, {minLength: 1, maxLength: 2}))
    .map(([value, changes]) =>
      changes.reduce((text, each) => JSON.stringify(changed(parsed(text), each)), jsonOf(value)),
    );
}

const jsonOf = (value: unknown): string => JSON.stringify(value) ?? 'null';
const parsed = (text: string): unknown => JSON.parse(text);

function changed(value: unknown, {steps, kind, value: put, name}: Change): unknown {
  const [step, ...rest] = steps;
  if (typeof value !== 'object' || value === null) return put;
  const entries: (readonly [string, unknown])[] = Object.entries(value);
  const index = entries.length === 0 ? 0 : (step ?? 0) % entries.length;
  if (step !== undefined && rest.length > 0 && entries.length > 0)
    return rebuilt(
      value,
      entries.with(
        index,
        inside(entries[index], each => changed(each, {steps: rest, kind, value: put, name})),
      ),
    );
  const [key = ''] = entries[index] ?? [];
  const result = [
    () => entries.map((entry, at) => (at === index ? ([key, put] as const) : entry)),
    () => entries.filter((_, at) => at !== index),
    () => [...entries, [name, put] as const],
    () => entries.map((entry, at) => (at === index ? ([name, entry[1]] as const) : entry)),
  ][kind];
  return rebuilt(value, result?.() ?? entries);
}

function inside(
  entry: readonly [string, unknown] | undefined,
  change: (value: unknown) => unknown,
): readonly [string, unknown] {
  const [key, value] = entry ?? ['', null];
  return [key, change(value)];
}

/** `Object.fromEntries` defines `__proto__` as a member like any other, which `JSON.stringify` writes. */
function rebuilt(like: object, entries: readonly (readonly [string, unknown])[]): unknown {
  return Array.isArray(like) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/** Everything at once for a reader of JSON text. */
export function outsideText(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const disturbed = disturbedJson(valid.map(text => safelyParsed(text)));
  return fc.oneof(hostileText, {weight: 2, arbitrary: damagedText(valid)}, {weight: 3, arbitrary: disturbed}, valid);
}

function safelyParsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
