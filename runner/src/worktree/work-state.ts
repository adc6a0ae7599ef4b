import {previewRest} from './commit-rest.ts';
import {gitFailure, textOf} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {committedSecrets} from './push.ts';
import {mirrorGit} from './sealed-git.ts';

/** What a tree holds while its agent may still go on. */
export type WorkState =
  | {readonly state: 'other_branch'; readonly checkedOut: string | undefined}
  | {readonly state: 'conflicted'; readonly unmerged: readonly string[]}
  | {
      readonly state: 'on_branch';
      /** The tree that would be committed now. */
      readonly tree: string;
      readonly isChanged: boolean;
      /** Files that look like secrets: in commits of the attempt, and beside them in the tree. */
      readonly secretsCommitted: readonly string[];
      readonly secretsLeft: readonly string[];
    };

/** Changes neither branch, index nor files. Throws `git_failed`. */
export async function readWorkState(context: WorktreeContext, worktree: Worktree): Promise<WorkState> {
  const rest = await previewRest(context, worktree);
  switch (rest.outcome) {
    case 'other-branch':
      return {state: 'other_branch', checkedOut: rest.checkedOut};
    case 'conflicted':
      return {state: 'conflicted', unmerged: rest.unmerged};
    case 'staged': {
      const {baseSha} = worktree;
      const git = mirrorGit(context, worktree.mirror);
      const args = ['rev-parse', `${baseSha}^{tree}`];
      const [secretsCommitted, baseTree] = await Promise.all([
        committedSecrets(git, {baseSha, head: rest.head}),
        git(args),
      ]);
      if (baseTree.exitCode !== 0) throw gitFailure(args, baseTree);
      return {
        state: 'on_branch',
        tree: rest.tree,
        isChanged: rest.tree !== textOf(baseTree.stdout),
        secretsCommitted,
        secretsLeft: rest.refused,
      };
    }
  }
}
