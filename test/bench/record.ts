import {readFile, writeFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import type {BenchOptions} from './options.ts';
import {tableMarkdown, type Group} from './report.ts';

const document = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

/**
 * Replaces the tables of these groups in docs/benchmarks.md, between `<!-- bench:<group> -->` and
 * `<!-- /bench:<group> -->`; everything else is prose and stays. Throws when a group has no such place.
 */
export async function record(
  groups: readonly Group[],
  {machine, options: {rounds, seconds}}: {machine: string; options: BenchOptions},
): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  let text = await readFile(document, 'utf8');
  for (const group of groups) {
    const [open, close] = [`<!-- bench:${group.name} -->`, `<!-- /bench:${group.name} -->`];
    const [start, end] = [text.indexOf(open), text.indexOf(close)];
    if (start === -1 || end < start) throw new Error(`docs/benchmarks.md has no place for ${group.name}`);
    const when = `Measured on ${date}: ${rounds} rounds of ${seconds} s a side. ${machine}.`;
    const body = `\n\n${when}\n\n${tableMarkdown(group)}\n\n`;
    text = text.slice(0, start + open.length) + body + text.slice(end);
  }
  await writeFile(document, text);
}
