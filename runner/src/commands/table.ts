import {stripVTControlCharacters} from 'node:util';
import {oneLine} from './shown-text.ts';

const gap = '  ';
const narrowest = 8;

/** Lines of a table with a head; columns are as wide as they must be, the last one is cut at the width. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
): readonly string[] {
  const all = [head, ...rows].map(row => row.map(cell => oneLine(cell)));
  const widths = head.map((_, column) => Math.max(...all.map(row => widthOf(row[column] ?? ''))));
  return all.map(row => {
    const cells = row.map((cell, column) => (column === row.length - 1 ? cell : padded(cell, widths[column] ?? 0)));
    return cut(cells.join(gap), columns).trimEnd();
  });
}

/** Cuts at a width that is at least eight; `undefined` is no limit. */
export function cut(text: string, columns: number | undefined): string {
  if (columns === undefined || widthOf(text) <= columns) return text;
  const plain = stripVTControlCharacters(text);
  return `${Array.from(plain)
    .slice(0, Math.max(columns, narrowest) - 1)
    .join('')}…`;
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - widthOf(cell)));
}

function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
