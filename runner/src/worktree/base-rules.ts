import {textOf} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {mirrorGit} from './sealed-git.ts';

/** Files in which repositories tell agents how to work. */
const ruleFiles = ['CLAUDE.md', 'AGENTS.md', 'GEMINI.md'];
const RULES_CHARACTERS_MAX = 65_536;

/**
 * What the base commit says to agents: the rules that its owners agreed on, never those that the work itself brings. Null
 * when it says nothing. What is too long is cut, and says so.
 */
export async function baseRules(context: WorktreeContext, {mirror, baseSha}: Worktree): Promise<string | null> {
  const git = mirrorGit(context, mirror);
  const found: string[] = [];
  for (const name of ruleFiles) {
    const {exitCode, stdout} = await git(['cat-file', 'blob', `${baseSha}:${name}`]);
    const text = exitCode === 0 ? textOf(stdout).trim() : '';
    // Some repositories keep one file under both names.
    if (text !== '' && !found.some(each => each.endsWith(text))) found.push(`# ${name} of this repository\n\n${text}`);
  }
  if (found.length === 0) return null;
  const whole = found.join('\n\n');
  return whole.length <= RULES_CHARACTERS_MAX
    ? whole
    : `${whole.slice(0, RULES_CHARACTERS_MAX)}\n\n(cut after ${RULES_CHARACTERS_MAX} characters)`;
}
