import {verdictOf, type Aim, type Verdict} from './aims.ts';

export type Unit = 'us' | 'ms' | 's' | '/s' | 'count' | 'MB';

/** One figure of ours beside the same figure of one peer, from the same rounds. */
export type Row = {
  readonly figure: string;
  readonly unit: Unit;
  readonly ours: number;
  /** Absent where nothing is compared. */
  readonly peer?: {readonly name: string; readonly value: number; readonly ratio: number};
  readonly aim?: Aim;
};

/** What measuring one group gave. */
export type Outcome = {
  readonly rows: readonly Row[];
  /** What the reader must know to read the rows. */
  readonly notes: readonly string[];
  /** What was not measured, and why. */
  readonly absent: readonly string[];
};

export type Group = Outcome & {
  readonly name: string;
  readonly title: string;
  /** Repeats this table. */
  readonly command: string;
};

const columns = ['figure', 'ours', 'peer', 'value', 'ratio', 'aim', 'result'] as const;

/** The table for a terminal. */
export function tableText({title, rows, notes, absent}: Group): string {
  const cells = [columns, ...rows.map(cellsOf)];
  const widths = columns.map((_, column) => Math.max(...cells.map(line => (line[column] ?? '').length)));
  const lines = cells.map(line => line.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  '));
  const [head = '', ...body] = lines;
  return [
    title,
    '',
    head.trimEnd(),
    '-'.repeat(head.length),
    ...body.map(line => line.trimEnd()),
    ...notes.map(note => `  ${note}`),
    ...absent.map(what => `  not measured: ${what}`),
    '',
  ].join('\n');
}

/** The same table as Markdown. */
export function tableMarkdown({rows, notes, absent, command}: Group): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns),
    line(columns.map((_, column) => (isNumeric(column) ? '---:' : '---'))),
    ...rows.map(row => line(cellsOf(row))),
    '',
    ...notes.map(note => `- ${note}`),
    ...absent.map(what => `- Not measured: ${what}`),
    `- Repeat with \`${command}\`.`,
  ].join('\n');
}

export type JsonRow = Row & {readonly verdict?: Verdict};

export function tableJson({name, rows, notes, absent, command}: Group): object {
  return {name, command, rows: rows.map(withVerdict), notes, absent};
}

function withVerdict(row: Row): JsonRow {
  const verdict = judged(row);
  return verdict === undefined ? row : {...row, verdict};
}

function judged({ours, peer, aim}: Row): Verdict | undefined {
  return aim === undefined ? undefined : verdictOf(aim, {ours, ratio: peer?.ratio ?? Number.NaN});
}

const words: Readonly<Record<Verdict, string>> = {stretch: 'hit, and the stretch', hit: 'hit', missed: 'missed'};

function cellsOf(row: Row): readonly string[] {
  const {figure, unit, ours, peer, aim} = row;
  const verdict = judged(row);
  return [
    figure,
    shown(ours, unit),
    peer?.name ?? '',
    peer === undefined ? '' : shown(peer.value, unit),
    peer === undefined || Number.isNaN(peer.ratio) ? '' : `${rounded(peer.ratio)}x`,
    aim === undefined ? '' : aimText(aim),
    verdict === undefined ? '' : words[verdict],
  ];
}

function aimText({id, of, want, must, stretch}: Aim): string {
  const unit = of === 'ratio' ? 'x' : '';
  return `${id} ${want} ${must}${unit}${stretch === must ? '' : ` (${stretch}${unit})`}`;
}

const isNumeric = (column: number): boolean => [1, 3, 4].includes(column);

function pad(cell: string, width: number, column: number): string {
  return isNumeric(column) ? cell.padStart(width) : cell.padEnd(width);
}

/** Three digits that mean something, whatever the size. */
function shown(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return '-';
  if (unit === 'us' && value >= 10_000) return shown(value / 1_000, 'ms');
  if (unit === 'ms' && value >= 10_000) return shown(value / 1_000, 's');
  return unit === 'count' ? String(value) : `${rounded(value)}${unit === '/s' ? '' : ' '}${unit}`;
}

function rounded(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}
