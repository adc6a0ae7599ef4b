import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Worktree} from '../worktree/places.ts';
import {leaveAgentHome, newAgentHome, readAgentHome, takeAgentHome} from './agent-home.ts';
import {scratchDirectoryOf} from './attempt-paths.ts';
import {adoptTree, findTree, removeTree, type Trees} from './attempt-tree.ts';
import type {AttemptPlan} from './attempt-work.ts';

export type TakenUp = {readonly isResumed: boolean; readonly worktree?: Worktree | undefined};

/** What the attempt before left for this one. Without the tree that it waits in there is nothing to go on with. */
export async function takeUp(trees: Trees, plan: AttemptPlan): Promise<TakenUp> {
  const home = await takeAgentHome(trees.context, plan);
  if (!home.is_resumed || plan.spec.repository === undefined) return {isResumed: home.is_resumed};
  const worktree = await adoptTree(trees, plan, home.tree_epoch);
  if (worktree === undefined) await newAgentHome(trees.context, plan);
  return {isResumed: worktree !== undefined, worktree};
}

/** The same plan under the name of the attempt that made the tree which this one works in. */
export async function placed({context}: Trees, plan: AttemptPlan): Promise<AttemptPlan> {
  const home = await readAgentHome(context.root, plan.task);
  return home?.epoch === plan.epoch ? {...plan, epoch: home.tree_epoch} : plan;
}

/** Where the agent works. */
export async function workingDirectory(trees: Trees, plan: AttemptPlan): Promise<string> {
  if (plan.spec.repository === undefined) return scratchDirectoryOf(trees.context.root, plan.task);
  const worktree = await findTree(trees, await placed(trees, plan));
  if (worktree === undefined)
    throw new SwitchyardError('internal', `the worktree of ${plan.task} e${plan.epoch} is missing`);
  return worktree.path;
}

/** Whether a later attempt works in the tree of this one. */
export async function isTreeAdopted({context}: Trees, {task, epoch}: AttemptPlan): Promise<boolean> {
  const home = await readAgentHome(context.root, task);
  return home !== undefined && home.epoch !== epoch && home.tree_epoch === epoch;
}

/** Removes what only this attempt needed: the tree, after what is unsaved in it, and the folder of the agent. An agent that waits keeps both. */
export async function leave(trees: Trees, plan: AttemptPlan): Promise<void> {
  const {context} = trees;
  const home = await readAgentHome(context.root, plan.task);
  if (home?.epoch === plan.epoch && home.is_waiting) return;
  await removeTree(trees, await placed(trees, plan));
  await leaveAgentHome(context, plan);
}
