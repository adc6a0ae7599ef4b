import {
  endsInSpace,
  endsRule,
  endsSecret,
  isSpace,
  type NeedleAutomaton,
  whitespaceRunBytesMax,
} from './needle-automaton.ts';
import {secretBytesMin} from './secret-forms.ts';
import {pemEndRule, type Secrets} from './secrets.ts';
import {bodyBytes, type TokenRule, tokenRules} from './token-rules.ts';

const star = 0x2a;

/** A stream that ends in so much of the beginning of a secret, or more, gives that away no less than the whole. Symbols. */
const unfinishedMin = secretBytesMin;

/** Bytes kept before the first held one, to see whether a token starts a word. */
const lookBehindBytes = 2;

/** A rule whose literal was seen, while bytes of its body follow. Positions count from the start of the stream. */
interface Candidate {
  readonly rule: TokenRule;
  readonly start: number;
  limit: number;
}

/**
 * Masks secrets in a stream of bytes with `*`, one for one: what comes out is as long as what went in, and line ends
 * stay. The output does not depend on how the input is cut. Bytes that may be the beginning of a secret are held back
 * until the next ones decide, so at most the longest secret is held.
 *
 *    buffer:  [ look-behind | held ........ | new ............. ]
 *                           ^ released      ^ scanned           after a scan: released <= held start
 */
export class Redactor {
  readonly #secrets: Secrets;
  #automaton: NeedleAutomaton;
  #buffer: Uint8Array = new Uint8Array(0);
  #mask: Uint8Array = new Uint8Array(0);
  /** Position in the stream of the first byte of the buffer. */
  #base = 0;
  /** Position up to which bytes were given out. */
  #released = 0;
  #state = 0;
  #spaceRun = 0;
  #candidates: Candidate[] = [];

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
    this.#automaton = secrets.automaton;
  }

  /** Bytes taken and not yet given out. */
  get heldBytes(): number {
    return this.#base + this.#buffer.length - this.#released;
  }

  /** Gives out what is decided; the rest follows with a later call. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#automaton !== this.#secrets.automaton) this.#adopt(this.#secrets.automaton);
    const from = this.#buffer.length;
    this.#buffer = joined(this.#buffer, chunk);
    this.#mask = joined(this.#mask, new Uint8Array(chunk.length));
    this.#scan(from, true);
    return this.#release(this.#holdFrom());
  }

  /** The stream has ended: gives out everything that is held, and masks a secret that only began. */
  flush(): Uint8Array {
    if (this.#automaton !== this.#secrets.automaton) this.#adopt(this.#secrets.automaton);
    this.#maskUnfinished();
    this.#state = 0;
    this.#candidates = [];
    return this.#release(this.#base + this.#buffer.length);
  }

  /** Held bytes are looked at again with the new needles; what is masked stays masked. */
  #adopt(automaton: NeedleAutomaton): void {
    this.#automaton = automaton;
    this.#state = 0;
    this.#spaceRun = 0;
    this.#scan(this.#released - this.#base, false);
  }

  #scan(from: number, withRules: boolean): void {
    const {table, width, classOf} = this.#automaton;
    const buffer = this.#buffer;
    let state = this.#state;
    let isRunning = withRules && this.#candidates.length > 0;
    for (let at = from; at < buffer.length; at++) {
      state = table[state + (classOf[buffer[at] ?? 0] ?? 0)] ?? 0;
      const flags = table[state + width - 1] ?? 0;
      if (flags === 0 && !isRunning) continue;
      if (withRules) {
        this.#continueCandidates(at);
        if ((flags & endsRule) !== 0) this.#startCandidates(at, state / width);
        isRunning = this.#candidates.length > 0;
      }
      if (this.#maskSecret(at, state, flags)) state = 0;
    }
    this.#state = state;
  }

  #maskUnfinished(): void {
    const last = this.#buffer.length - 1;
    const symbols = this.#automaton.unfinishedDepth[this.#state / this.#automaton.width] ?? 0;
    if (symbols >= unfinishedMin) this.#maskRange(this.#startOf(last, symbols), last);
    for (const {start} of this.#candidates) {
      const from = start - this.#base;
      if (last + 1 - from >= unfinishedMin) this.#maskRange(from, last);
    }
  }

  /** True when whitespace goes on for too long to be the inside of a secret. */
  #maskSecret(at: number, state: number, flags: number): boolean {
    if ((flags & endsSecret) !== 0) {
      const symbols = this.#automaton.secretDepth[state / this.#automaton.width] ?? 0;
      this.#maskRange(this.#startOf(at, symbols), at);
    }
    if ((flags & endsInSpace) === 0) return false;
    this.#spaceRun = isSpace(this.#buffer[at - 1]) ? this.#spaceRun + 1 : 1;
    return this.#spaceRun > whitespaceRunBytesMax;
  }

  #continueCandidates(at: number): void {
    const byte = this.#buffer[at] ?? 0;
    const position = this.#base + at;
    this.#candidates = this.#candidates.filter(({rule, start, limit}) => {
      if (position >= limit || bodyBytes[rule.body][byte] === 0) return false;
      const length = position - start + 1;
      if (length === rule.bodyBytesMin) this.#maskRange(start - this.#base, at);
      else if (length > rule.bodyBytesMin) this.#maskRange(at, at);
      return true;
    });
  }

  #startCandidates(at: number, row: number): void {
    for (const number of this.#automaton.rules.get(row) ?? []) {
      if (number === pemEndRule) {
        this.#candidates = this.#candidates.filter(({rule}) => rule.body !== 'pem');
        continue;
      }
      const rule = tokenRules[number];
      if (rule === undefined || (rule.startsWord && !this.#startsWord(this.#startOf(at, rule.literal.length))))
        continue;
      const start = this.#base + at + 1;
      const running = this.#candidates.find(candidate => candidate.rule === rule);
      // An earlier start covers this one; only its end moves.
      if (running === undefined) this.#candidates.push({rule, start, limit: start + rule.bodyBytesMax});
      else running.limit = start + rule.bodyBytesMax;
    }
  }

  /** After `\n` in a JSON string a word starts too. */
  #startsWord(at: number): boolean {
    if (this.#base + at === 0) return true;
    const before = String.fromCharCode(this.#buffer[at - 1] ?? 0);
    if (!/[A-Za-z0-9_-]/.test(before)) return true;
    return /[nrt]/.test(before) && this.#buffer[at - 2] === 0x5c;
  }

  /** Index of the first byte of the last `symbols` symbols up to `at`, a run of whitespace being one. */
  #startOf(at: number, symbols: number): number {
    let index = at;
    for (let left = symbols; left > 0; left--, index--) {
      if (isSpace(this.#buffer[index])) while (isSpace(this.#buffer[index - 1])) index--;
    }
    return index + 1;
  }

  /** Line ends are no secret and keep the log readable. */
  #maskRange(from: number, to: number): void {
    for (let at = from; at <= to; at++) {
      const byte = this.#buffer[at];
      if (byte !== 0x0a && byte !== 0x0d) this.#mask[at] = 1;
    }
  }

  /** Position of the first byte that later ones may still mask. */
  #holdFrom(): number {
    const end = this.#base + this.#buffer.length;
    const symbols = this.#automaton.depth[this.#state / this.#automaton.width] ?? 0;
    let from = this.#base + this.#startOf(this.#buffer.length - 1, symbols);
    for (const {rule, start} of this.#candidates) if (end - start < rule.bodyBytesMin) from = Math.min(from, start);
    return from;
  }

  #release(upTo: number): Uint8Array {
    const from = this.#released - this.#base;
    const to = upTo - this.#base;
    const given = this.#buffer.slice(from, to);
    for (let index = 0; index < given.length; index++) if (this.#mask[from + index] === 1) given[index] = star;
    const keepFrom = Math.max(0, to - lookBehindBytes);
    this.#buffer = this.#buffer.slice(keepFrom);
    this.#mask = this.#mask.slice(keepFrom);
    this.#base += keepFrom;
    this.#released = upTo;
    return given;
  }
}

/** Redacts a text that is whole. */
export function redactWhole(bytes: Uint8Array, secrets: Secrets): Uint8Array {
  const redactor = new Redactor(secrets);
  return joined(redactor.push(bytes), redactor.flush());
}

/** Always a copy: the caller may use its chunk again. */
function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
