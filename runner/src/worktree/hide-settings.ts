import {join} from 'node:path';
import {gitFailure} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {discard} from './remove.ts';
import {worktreeGit} from './sealed-git.ts';

/**
 * Takes settings of an agent's program out of the tree before that program starts: some run what a repository names in
 * them, and offer no way to be told not to. They stay in the commits, and their absence is no change. A second call
 * changes nothing.
 */
export async function hideSettings(
  context: WorktreeContext,
  worktree: Worktree,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const git = worktreeGit(context, worktree);
  const listed = async (args: readonly string[]): Promise<readonly string[]> => {
    const {exitCode, stdout, stderr} = await git(args);
    if (exitCode !== 0) throw gitFailure(args, {exitCode, stdout, stderr});
    const paths = Buffer.from(stdout).toString('utf8').split('\0');
    return paths.filter(path => path !== '');
  };
  // Some file systems do not tell letters apart.
  const tops = (await listed(['ls-tree', '-z', '--name-only', worktree.baseSha])).filter(name =>
    names.includes(name.toLowerCase()),
  );
  if (tops.length === 0) return;
  const paths = await listed(['ls-files', '-z', '--', ...tops]);
  const marking = ['update-index', '-z', '--skip-worktree', '--stdin'];
  const marked = await git(marking, {input: paths.map(path => `${path}\0`).join('')});
  if (marked.exitCode !== 0) throw gitFailure(marking, marked);
  for (const name of tops) await discard(context, join(worktree.path, name));
}
