import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {AgentStream} from '../../runner/src/logs/log-merge.ts';
import {LogMerge} from '../../runner/src/logs/log-merge.ts';
import {startCursor} from '../../runner/src/logs/log-cursor.ts';
import {Redactor} from '../../runner/src/logs/redactor.ts';
import {formsOfSecret} from '../../runner/src/logs/secret-forms.ts';
import {Secrets} from '../../runner/src/logs/secrets.ts';
import {referenceRedaction} from '../unit/logs/reference-redaction.ts';
import {tries} from './fuzz-settings.ts';

/** Few letters, so that secrets overlap, begin each other and end in each other. */
const letters = fc.array(fc.constantFrom('a', 'b', 'ab', '/', '"', '\\', ' ', 'é', '+', '\n', '\ud800'), {
  minLength: 3,
  maxLength: 10,
});
const secretSets = fc
  .tuple(
    fc.array(
      letters.map(parts => parts.join('')),
      {minLength: 1, maxLength: 4},
    ),
    fc.nat(),
  )
  .map(([texts, cut]) => {
    const [first = ''] = texts;
    // One is the beginning of another, one stands in another.
    return [...texts, first.slice(0, 6 + (cut % 4)), `x${first}y`];
  });

function secretsOf(values: readonly string[]): Secrets {
  const secrets = new Secrets();
  secrets.add([...values]);
  return secrets;
}

const needlesOf = (values: readonly string[]): readonly Uint8Array[] =>
  values.filter(value => Buffer.byteLength(value.trim()) >= 6).flatMap(formsOfSecret);

/** Texts put together from what a redactor looks for, whole and in parts. */
function textsFor(values: readonly string[], piecesMax: number): fc.Arbitrary<Buffer> {
  const needles = [...needlesOf(values).map(needle => Buffer.from(needle)), ...values.map(value => Buffer.from(value))];
  const piece = fc
    .tuple(fc.constantFrom(...needles), fc.nat({max: 30}), fc.nat({max: 30}))
    .map(([needle, from, length]) =>
      needle.subarray(from % (needle.length + 1), (from % (needle.length + 1)) + length),
    );
  const other = fc.constantFrom(
    'a',
    'ab',
    ' ',
    '\n',
    '\r\n',
    '\\n',
    '%20',
    'ghp_',
    'a'.repeat(20),
    'sk-',
    '-----BEGIN PRIVATE KEY-----',
    '-----END',
    '\t ',
  );
  return fc
    .array(
      fc.oneof(
        piece,
        fc.constantFrom(...needles),
        other.map(text => Buffer.from(text)),
      ),
      {maxLength: piecesMax},
    )
    .map(parts => Buffer.concat(parts));
}

const cases = (piecesMax: number): fc.Arbitrary<{values: readonly string[]; bytes: Buffer}> =>
  secretSets.chain(values => textsFor(values, piecesMax).map(bytes => ({values, bytes})));

function inPieces(bytes: Buffer, cuts: readonly number[], secrets: Secrets): string {
  const redactor = new Redactor(secrets);
  const edges = [0, ...cuts.map(cut => Math.min(cut, bytes.length)), bytes.length].toSorted(
    (left, right) => left - right,
  );
  const given = edges.slice(1).map((edge, index) => redactor.push(bytes.subarray(edges[index], edge)));
  return Buffer.concat([...given, redactor.flush()]).toString('latin1');
}

const expected = (bytes: Buffer, values: readonly string[]): string =>
  referenceRedaction(bytes, needlesOf(values)).toString('latin1');

describe('redaction', () => {
  test('[PB15] of a short text is that of the whole, for every way to cut it', () => {
    fc.assert(
      fc.property(cases(3), ({values, bytes: long}) => {
        const bytes = long.subarray(0, 9);
        const secrets = secretsOf(values);
        const whole = expected(bytes, values);
        for (let mask = 0; mask < 2 ** Math.max(0, bytes.length - 1); mask += 1) {
          const cuts = Array.from(bytes.keys()).filter(at => at > 0 && (mask & (1 << (at - 1))) !== 0);
          expect(inPieces(bytes, cuts, secrets), cuts.join()).toBe(whole);
        }
      }),
      tries(40),
    );
  });

  test('[PB15] of a long text is that of the whole, however it is cut', () => {
    fc.assert(
      fc.property(cases(12), fc.array(fc.nat({max: 400}), {maxLength: 30}), ({values, bytes}, cuts) => {
        expect(inPieces(bytes, cuts, secretsOf(values))).toBe(expected(bytes, values));
      }),
      tries(120),
    );
  });

  test('[PB15] goes on from any point as if it had never stopped, when it is shown what stands before', () => {
    fc.assert(
      fc.property(cases(12), fc.nat(), ({values, bytes}, at) => {
        const secrets = secretsOf(values);
        const offset = at % (bytes.length + 1);
        const from = Math.max(0, offset - secrets.contextBytes);
        const resumed = inPieces(bytes.subarray(from), [], secrets);
        expect(resumed.slice(offset - from)).toBe(expected(bytes, values).slice(offset));
      }),
      tries(120),
    );
  });
});

type Step = {readonly stream: AgentStream; readonly bytes: Buffer; readonly act: 'take' | 'show' | 'note' | 'restart'};

const steps = (values: readonly string[]): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.record({
      stream: fc.constantFrom<AgentStream>('out', 'err', 'checks'),
      bytes: textsFor(values, 4),
      act: fc.oneof({weight: 5, arbitrary: fc.constant('take' as const)}, fc.constantFrom('show', 'note', 'restart')),
    }),
    {maxLength: 12},
  );

/** A merge with what a spool stores of it. A restart forgets everything but the stored bytes and their cursor. */
class StoredMerge {
  readonly #secrets: Secrets;
  readonly raw: Record<AgentStream, Buffer> = {out: Buffer.alloc(0), err: Buffer.alloc(0), checks: Buffer.alloc(0)};
  stored = Buffer.alloc(0);
  #cursor = startCursor;
  #merge: LogMerge;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
    this.#merge = this.#opened();
  }

  step({stream, bytes, act}: Step): void {
    if (act === 'take') {
      this.raw[stream] = Buffer.concat([this.raw[stream], bytes]);
      this.#merge.take(stream, bytes);
    } else if (act === 'show') this.#merge.takeOpenLine(stream);
    else if (act === 'note') this.#merge.note('note');
    this.#store();
    if (act === 'restart') this.#restart();
  }

  finish(): void {
    this.#merge.finish();
    this.#store();
  }

  #opened(): LogMerge {
    const endsLine = this.stored.length === 0 || this.stored.at(-1) === 0x0a;
    return new LogMerge({secrets: this.#secrets, capBytes: 1_000_000, cursor: this.#cursor, endsLine});
  }

  #restart(): void {
    this.#merge = this.#opened();
    for (const stream of ['out', 'err', 'checks'] as const)
      this.#merge.take(stream, this.raw[stream].subarray(this.#merge.readFrom(stream)));
    this.#store();
  }

  #store(): void {
    const {bytes, cursor} = this.#merge.pending();
    this.stored = Buffer.concat([this.stored, bytes]);
    this.#cursor = cursor;
    this.#merge.stored();
  }
}

describe('the log of an attempt', () => {
  test('[PB16] holds each stream as it would be redacted alone, whatever came between, over any restart', () => {
    fc.assert(
      fc.property(
        secretSets.chain(values => steps(values).map(list => ({values, list}))),
        ({values, list}) => {
          const merge = new StoredMerge(secretsOf(values));
          const sole = new Set(list.filter(({act}) => act === 'take').map(({stream}) => stream));
          for (const step of list) merge.step(step);
          merge.finish();
          const notes = list.filter(({act}) => act === 'note').length;
          const whole = {out: '', err: '', checks: ''};
          for (const stream of ['out', 'err', 'checks'] as const) whole[stream] = expected(merge.raw[stream], values);
          const text = merge.stored.toString('latin1');
          const own = Object.values(whole).reduce((sum, each) => sum + each.length, 0);
          // A note in the middle of a line begins on a line of its own.
          const noteBytes = text.length - own;
          expect(noteBytes).toBeGreaterThanOrEqual(notes * '[switchyard] note\n'.length);
          expect(noteBytes).toBeLessThanOrEqual(notes * '\n[switchyard] note\n'.length);
          const alone = Object.values(whole).join('');
          const isAlone = notes === 0 && sole.size <= 1;
          expect(isAlone ? text : alone).toBe(alone);
          expect(text.replaceAll(/[^*]/g, '')).toBe(alone.replaceAll(/[^*]/g, ''));
        },
      ),
      tries(120),
    );
  });
});
