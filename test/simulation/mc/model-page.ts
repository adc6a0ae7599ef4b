import {readFileSync, writeFileSync} from 'node:fs';
import {tableMarkdown, type Finding} from './model-report.ts';

const page = new URL('../../../docs/reliability/model.md', import.meta.url);

/** The two tables of docs/reliability/model.md, between `<!-- model:… -->` and `<!-- /model:… -->`. */
export type Tables = {readonly variants: readonly Finding[]; readonly without: readonly Finding[]};

export function pageWritten(): string {
  return readFileSync(page, 'utf8');
}

/** The page with these findings in it. Everything outside the two places is prose and stays. */
export function pageWith({variants, without}: Tables): string {
  return placed(placed(pageWritten(), 'variants', variants), 'without', without);
}

export function writePage(tables: Tables): void {
  writeFileSync(page, pageWith(tables));
}

function placed(text: string, name: string, findings: readonly Finding[]): string {
  const [open, close] = [`<!-- model:${name} -->`, `<!-- /model:${name} -->`];
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  if (start === -1 || end < start) throw new Error(`docs/reliability/model.md has no place for ${name}`);
  return `${text.slice(0, start + open.length)}\n\n${tableMarkdown(findings)}\n\n${text.slice(end)}`;
}
