import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {textOf} from './git.ts';
import type {Mirror} from './places.ts';
import type {BoundGit} from './sealed-git.ts';

/** Branches beside which this one cannot exist: git keeps a branch as a file in the folders that its name begins with. */
export function branchesAbove(branch: string): readonly string[] {
  const parts = branch.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

export function branchConflict(mirror: Mirror, branch: string, taken: string): SwitchyardError {
  const {id} = mirror.repository;
  return new SwitchyardError('branch_conflict', `${id} has a branch ${taken}: ${branch} cannot exist beside it.`);
}

/** Throws `branch_conflict` where upstream, as the mirror knows it, could never take this branch: before any work is done. */
export async function requireRoomUpstream(git: BoundGit, mirror: Mirror, branch: string): Promise<void> {
  const above = branchesAbove(branch);
  const refs = above.map(name => `refs/remotes/origin/${name}\n`).join('');
  const found = await git(['cat-file', '--batch-check'], {input: refs});
  const taken = textOf(found.stdout)
    .split('\n')
    .findIndex(line => /^[0-9a-f]{40,64} /.test(line));
  if (taken >= 0) throw branchConflict(mirror, branch, above[taken] ?? '');
}
