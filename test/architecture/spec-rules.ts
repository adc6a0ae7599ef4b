import {posix} from 'node:path';
import {importsOf, type Source} from './source-tree.ts';

/** A line of the specification: `- **AR1** A sentence.` */
const ruleLine = /^- \*\*(?<id>[A-Z]{2,4}\d+)\*\* \S/gm;
/** The title of a test, of any form: `test('[AR1] ...'`, `test.for(cases)('[AR1] ...'`, `it("[AR1] ..."`. */
const titled = /(?<before>\w*)\(\s*['"`]\[(?<id>[A-Z]{2,4}\d+)\] \S/g;
/** A test whose title begins with something else; a table's title follows its closing bracket. */
const untitled =
  /(?:^|[^.\w])(?:test|it)(?:\.\w+)*(?:\.(?:for|each)\([^\n]*\))?\(\s*(?<title>(?<quote>['"`])(?!\[[A-Z]{2,4}\d+\] \S).*?\k<quote>)/gm;

export function ruleIds(documents: readonly Source[]): readonly string[] {
  return documents.flatMap(({text}) => [...text.matchAll(ruleLine)].map(({groups}) => groups?.['id'] ?? ''));
}

export function testedIds(files: readonly Source[]): ReadonlySet<string> {
  const titles = files.flatMap(({text}) => [...text.matchAll(titled)]);
  return new Set(
    titles.filter(({groups}) => groups?.['before'] !== 'describe').map(({groups}) => groups?.['id'] ?? ''),
  );
}

export function untitledTests(files: readonly Source[]): readonly string[] {
  return files.flatMap(({path, text}) =>
    [...text.matchAll(untitled)].map(({groups}) => `${path}: ${groups?.['title']} has no rule`),
  );
}

/** The test files and whatever they import from test/: a contract suite counts when a test runs it. */
export function reached(all: readonly Source[]): readonly Source[] {
  const byPath = new Map(all.map(source => [source.path, source]));
  const seen = new Set<Source>();
  const visit = (source: Source | undefined): void => {
    if (source === undefined || seen.has(source)) return;
    seen.add(source);
    for (const from of importsOf(source.text)) visit(byPath.get(posix.join(posix.dirname(source.path), from)));
  };
  for (const source of all) if (source.path.endsWith('.test.ts')) visit(source);
  return [...seen];
}
