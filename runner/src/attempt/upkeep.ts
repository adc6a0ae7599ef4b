import {join} from 'node:path';
import {attemptLabel, attemptMark, type AttemptName} from '../executor/attempt-name.ts';
import {removeEmptyCgroup} from '../executor/cgroup.ts';
import type {BootClock} from '../executor/boot-clock.ts';
import type {Machine} from '../executor/process-identity.ts';
import {findLeftovers, killLeftover, sweepVerdict, type Leftover} from '../executor/sweep.ts';
import {collectAgentHomes} from './agent-home.ts';
import {collect} from '../worktree/collect.ts';
import type {WorktreeContext} from '../worktree/places.ts';
import {discard, emptyTrash} from '../worktree/remove.ts';

export type UpkeepOptions = {
  readonly stateDirectory: string;
  readonly machine: Machine & {readonly clock: BootClock};
  readonly cgroupBase: string | undefined;
  readonly context: WorktreeContext;
  /** All that the journal holds right then, also what is only being cleaned up: its files are not ours to take. */
  readonly held: () => readonly AttemptName[];
  readonly log: (line: string) => void;
};

/**
 * One pass over what attempts left on this machine. Kills only what is past its own deadline and unknown to the journal,
 * and removes the run directory of such an attempt; its worktree stays, with all that is in it, until the limits of disk,
 * age or count take it, which salvages it first.
 */
export async function upkeep({stateDirectory, machine, cgroupBase, context, held, log}: UpkeepOptions): Promise<void> {
  const leftovers = await findLeftovers({runsDir: join(stateDirectory, 'runs'), cgroupBase}, machine);
  for (const leftover of leftovers) {
    const marks = new Set(held().map(attemptMark));
    if (marks.has(attemptMark(leftover.attempt))) continue;
    const verdict = sweepVerdict(leftover, {nowBootMs: machine.clock.nowMs(), gone: new Set(), held: new Map()});
    if (verdict.action === 'keep') {
      await removeEmpty(leftover, log);
      continue;
    }
    const {survivors} = await killLeftover(leftover, verdict.reason, machine);
    log(`${attemptLabel(leftover.attempt)}: nobody holds it and its deadline has passed: ended`);
    if (survivors.length === 0 && leftover.runDir !== undefined) await discard(context, leftover.runDir);
  }
  // An attempt may work in the tree of an earlier one.
  const isHeld = (task: string): boolean => held().some(each => each.task === task);
  const isActive = ({task}: AttemptName): boolean => isHeld(task);
  for (const {worktree, reason, error} of await collect(context, {isActive}))
    log(
      `${worktree.task} e${worktree.epoch}: worktree ${error === undefined ? `removed (${reason})` : `kept: ${error.detail}`}`,
    );
  await collectAgentHomes(context, {isHeld, nowMs: context.now()});
  await emptyTrash(context);
}

/** A cgroup without a process and without a run directory is nobody's, whatever became of its attempt. */
async function removeEmpty({attempt, runDir, cgroup}: Leftover, log: UpkeepOptions['log']): Promise<void> {
  if (runDir !== undefined || cgroup === undefined || !(await removeEmptyCgroup(cgroup))) return;
  log(`${attemptLabel(attempt)}: an empty cgroup was left: removed`);
}
