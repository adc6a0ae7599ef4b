import {readTip} from './evidence.ts';
import {gitFailure, textOf} from './git.ts';
import {lockPath, type Worktree, type WorktreeContext} from './places.ts';
import {writeRecord} from './record.ts';
import {mirrorGit, worktreeGit} from './sealed-git.ts';

/**
 * Puts a tree on another branch that begins where its own ends, for an attempt that goes on with the work of an earlier
 * one. No file of the tree changes. A second call finds it done.
 */
export async function rebranch(context: WorktreeContext, worktree: Worktree, branch: string): Promise<Worktree> {
  if (worktree.branch === branch) return worktree;
  const next = {...worktree, branch};
  const git = mirrorGit(context, worktree.mirror);
  const inTree = worktreeGit(context, worktree);
  const must = async (call: typeof git, args: readonly string[]): Promise<void> => {
    const result = await call(args);
    if (result.exitCode !== 0) throw gitFailure(args, result);
  };
  return context.locks.hold(lockPath(worktree), async () => {
    await context.locks.hold(lockPath(worktree.mirror), async () => {
      const tip = (await readTip(git, worktree.branch)) ?? (await readTip(git, branch)) ?? worktree.baseSha;
      await must(git, ['update-ref', `refs/heads/${branch}`, tip]);
      const head = await inTree(['symbolic-ref', '--quiet', 'HEAD']);
      // An agent that left another branch checked out finds it so.
      if (textOf(head.stdout) === `refs/heads/${worktree.branch}`)
        await must(inTree, ['symbolic-ref', 'HEAD', `refs/heads/${branch}`]);
    });
    await writeRecord(context, next);
    await must(git, ['update-ref', '-d', `refs/heads/${worktree.branch}`]);
    return next;
  });
}
