import type {RebaseEvidence} from '@switchyard/shared/protocol/exit-record.ts';
import {oneLine} from './shown-text.ts';

/** What became of a rebase: one line, and for a conflict the files with the commits of both sides. */
export function rebaseLines(rebase: RebaseEvidence | undefined): readonly string[] {
  if (rebase === undefined) return [];
  const onto = rebase.onto_sha.slice(0, 12);
  if (rebase.outcome !== 'conflict')
    return [`  base    ${onto} (${rebase.outcome === 'rebased' ? 'rebased onto it' : 'still the newest'})`];
  const more = rebase.conflicts_more === 0 ? [] : [`    and ${rebase.conflicts_more} more`];
  const files = rebase.conflicts.flatMap(({path, ours, theirs}) => [
    `    ${oneLine(path)}`,
    ...sideLines('ours', ours),
    ...sideLines('base', theirs),
  ]);
  return [`  base    ${onto}: the work conflicts with it in`, ...files, ...more];
}

function sideLines(side: string, commits: RebaseEvidence['conflicts'][number]['ours']): readonly string[] {
  return commits.map(({sha, subject}) => `      ${side}  ${sha.slice(0, 12)} ${oneLine(subject)}`);
}
