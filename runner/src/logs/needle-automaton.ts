import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** A run of whitespace longer than this is not the inside of a secret. It bounds what must be held back. Bytes. */
export const whitespaceRunBytesMax = 256;

/** The transition table of all needles may take this much memory. */
export const automatonBytesMax = 96 * 1024 * 1024;

export interface Needle {
  readonly bytes: Uint8Array;
  /** What a match means: a secret to mask, or the literal of the rule with this number. */
  readonly means: 'secret' | number;
}

/** Flags in the last column of each row of `table`. */
export const endsSecret = 1;
export const endsRule = 2;
export const endsInSpace = 4;

/**
 * Aho-Corasick as a complete table: one look-up per byte, whatever the number of needles. A run of whitespace counts
 * as one symbol, in needles and in the input. States are row offsets; 0 is the root.
 */
export interface NeedleAutomaton {
  readonly table: Int32Array;
  /** Entries in a row: one per class of byte, then the flags. */
  readonly width: number;
  readonly classOf: Uint16Array;
  /** By row number: symbols that the state has matched. */
  readonly depth: Int32Array;
  /** By row number: symbols of the longest secret that ends here. */
  readonly secretDepth: Int32Array;
  /** By row number: symbols of the longest beginning of a secret that ends here. */
  readonly unfinishedDepth: Int32Array;
  /** By row number: the rules whose literal ends here. */
  readonly rules: ReadonlyMap<number, readonly number[]>;
  /** Raw bytes before a point that can bear on what matches across it. */
  readonly contextBytes: number;
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/** Throws `configuration_invalid` when the needles need more than `automatonBytesMax`: never matches a part of them. */
export function buildAutomaton(needles: readonly Needle[]): NeedleAutomaton {
  const symbols = needles.map(({bytes}) => collapse(bytes));
  const {classOf, width} = classify(symbols);
  const rowsMax = 1 + symbols.reduce((sum, needle) => sum + needle.length, 0);
  // Two tables live while this runs: the trie and its trimmed copy.
  if (rowsMax * width * 4 > automatonBytesMax) {
    throw new SwitchyardError(
      'configuration_invalid',
      `the secrets to mask need ${rowsMax} states: register fewer or shorter ones`,
    );
  }
  const trie = plant(needles, symbols, {classOf, width, rowsMax});
  link(trie);
  const contextBytes = Math.max(
    1,
    ...symbols.map(needle => needle.length + needle.filter(isSpace).length * (whitespaceRunBytesMax - 1)),
  );
  const {table, depth, secretDepth, unfinishedDepth, rules} = trie;
  return {table, width, classOf, depth, secretDepth, unfinishedDepth, rules, contextBytes};
}

interface Trie {
  readonly table: Int32Array;
  readonly width: number;
  readonly rows: number;
  readonly spaceClass: number;
  readonly depth: Int32Array;
  readonly secretDepth: Int32Array;
  readonly unfinishedDepth: Int32Array;
  readonly rules: Map<number, readonly number[]>;
}

function collapse(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  return Buffer.from(text.replaceAll(/[\t\n\v\f\r ]+/g, ' ').replaceAll(/^ | $/g, ''), 'latin1');
}

/** Class 0 holds every byte that no needle contains: it always leads to the root. */
function classify(symbols: readonly Uint8Array[]): {classOf: Uint16Array; width: number} {
  const classOf = new Uint16Array(256);
  let classes = 1;
  for (const needle of symbols) {
    for (const byte of needle) {
      if (classOf[byte] === 0) classOf[byte] = classes++;
    }
  }
  for (let byte = 0x09; byte <= 0x0d; byte++) classOf[byte] = classOf[0x20] ?? 0;
  return {classOf, width: classes + 1};
}

function plant(
  needles: readonly Needle[],
  symbols: readonly Uint8Array[],
  {classOf, width, rowsMax}: {classOf: Uint16Array; width: number; rowsMax: number},
): Trie {
  const table = new Int32Array(rowsMax * width);
  const depth = new Int32Array(rowsMax);
  const secretDepth = new Int32Array(rowsMax);
  const unfinishedDepth = new Int32Array(rowsMax);
  const rules = new Map<number, readonly number[]>();
  let rows = 1;
  const grow = (row: number, byte: number): number => {
    const cell = row * width + (classOf[byte] ?? 0);
    const known = table[cell] ?? 0;
    if (known !== 0) return known / width;
    const next = rows++;
    table[cell] = next * width;
    depth[next] = (depth[row] ?? 0) + 1;
    if (isSpace(byte)) setFlag(table, next * width + width - 1, endsInSpace);
    return next;
  };
  for (const [index, needle] of needles.entries()) {
    let row = 0;
    for (const byte of symbols[index] ?? []) {
      row = grow(row, byte);
      if (needle.means === 'secret') unfinishedDepth[row] = depth[row] ?? 0;
    }
    if (needle.means === 'secret') secretDepth[row] = depth[row] ?? 0;
    else rules.set(row, [...(rules.get(row) ?? []), needle.means]);
  }
  const spaceClass = classOf[0x20] ?? 0;
  return {table: table.slice(0, rows * width), width, rows, spaceClass, depth, secretDepth, unfinishedDepth, rules};
}

/** Breadth first: the failure state of a row is shorter, so it is complete when the row needs it. */
function link(trie: Trie): void {
  const {table, width, rows} = trie;
  const failure = new Int32Array(rows);
  const queue = new Int32Array(rows);
  let queued = 1;
  for (let head = 0; head < queued; head++) {
    const row = queue[head] ?? 0;
    const shorter = failure[row] ?? 0;
    if (row !== 0) inherit(trie, row, shorter);
    for (let symbol = 1; symbol < width - 1; symbol++) {
      const cell = row * width + symbol;
      const child = (table[cell] ?? 0) / width;
      const fallback = row === 0 ? 0 : (table[shorter * width + symbol] ?? 0);
      // Before its turn a row holds nothing but its own children.
      if (child === 0) table[cell] = fallback;
      else {
        failure[child] = fallback / width;
        queue[queued++] = child;
      }
    }
    finishRow(trie, row);
  }
}

function inherit({secretDepth, unfinishedDepth, rules}: Trie, row: number, shorter: number): void {
  secretDepth[row] = Math.max(secretDepth[row] ?? 0, secretDepth[shorter] ?? 0);
  unfinishedDepth[row] = Math.max(unfinishedDepth[row] ?? 0, unfinishedDepth[shorter] ?? 0);
  const inherited = rules.get(shorter);
  if (inherited !== undefined) rules.set(row, [...(rules.get(row) ?? []), ...inherited]);
}

function finishRow({table, width, spaceClass, secretDepth, rules}: Trie, row: number): void {
  const flagsAt = row * width + width - 1;
  // The rest of a run of whitespace is the same symbol.
  if (spaceClass !== 0 && ((table[flagsAt] ?? 0) & endsInSpace) !== 0) table[row * width + spaceClass] = row * width;
  if ((secretDepth[row] ?? 0) > 0) setFlag(table, flagsAt, endsSecret);
  if (rules.has(row)) setFlag(table, flagsAt, endsRule);
}

function setFlag(table: Int32Array, cell: number, flag: number): void {
  table[cell] = (table[cell] ?? 0) | flag;
}
