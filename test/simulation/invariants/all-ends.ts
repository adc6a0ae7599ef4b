import {finishedTaskStates, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {readLane} from '../../../worker/src/fleet/lane.ts';
import {keyOf, type TaskSeen} from '../kernel/fact.ts';
import type {World} from '../world.ts';
import type {Finding, Invariant} from './invariant.ts';

/** A runner is left alone with what it turned down for the time of an offer; then it is asked. */
const offeredWithinMs = 20_000;
/** Less than passes between two renewals, which tell of an exit again: the first answer must come, not the second. */
const acknowledgedWithinMs = 8_000;
const lookMs = 1_000;

export const allEnds: Invariant = {
  number: 9,
  name: 'allEnds',
  sentence:
    'Once the faults stop, a queued task that a free runner could take is offered in time, an exit on a link that stands is answered in time, and every task ends in bounded time.',
  watch: world => {
    const sinceMs = new Map<string, number>();
    const reportedSinceMs = new Map<string, number>();
    let isCalm = false;
    let nextLookMs = 0;
    return {
      on: {
        calm: () => {
          isCalm = true;
          return undefined;
        },
        rest: (): Finding => {
          const open = [...world.fleet.rows.values()].filter(({state}) => !finishedTaskStates.has(state as TaskState));
          return open.length === 0
            ? undefined
            : `${open.map(({id, state, epoch}) => `${id} is ${state} e${epoch}`).join(', ')} for ever`;
        },
      },
      look: (): Finding => {
        const {nowMs} = world.timeline;
        if (!isCalm || nowMs < nextLookMs) return undefined;
        nextLookMs = nowMs + lookMs;
        for (const row of world.fleet.rows.values()) {
          if (row.state !== 'queued' || !canStart(world, row)) {
            sinceMs.delete(row.id);
            continue;
          }
          const since = sinceMs.get(row.id) ?? nowMs;
          sinceMs.set(row.id, since);
          if (nowMs - since > offeredWithinMs) return `${row.id} waits although a runner is free for it`;
        }
        return unanswered(world, reportedSinceMs);
      },
    };
  },
};

/**
 * An exit that was sent over a link which has stood since, and got no answer. What TCP held back while nothing passed comes
 * late although the fault is over, and all that follows comes behind it: no answer can be expected until then.
 */
function unanswered({hosts, timeline: {nowMs}}: World, sinceMs: Map<string, number>): Finding {
  const open = new Set<string>();
  for (const {machine, process} of hosts) {
    if (process?.session.isWhole !== true || !process.session.isStill || machine.isSuspended) continue;
    for (const attempt of process.state.attempts.values()) {
      if (attempt.state !== 'reported') continue;
      const key = `${keyOf(attempt)} on machine ${machine.parts.index}`;
      open.add(key);
      const since = sinceMs.get(key) ?? nowMs;
      sinceMs.set(key, since);
      if (nowMs - since > acknowledgedWithinMs) return `the exit of ${key} is not answered although its link stands`;
    }
  }
  for (const key of sinceMs.keys()) if (!open.has(key)) sinceMs.delete(key);
  return undefined;
}

function canStart({fleet, hosts}: World, row: TaskSeen): boolean {
  const live = [...fleet.rows.values()].filter(
    ({state}) => state === 'offered' || state === 'leased' || state === 'cancelling',
  );
  const {requires} = readLane(row.lane);
  const key = row.conc_key;
  if (key !== null && live.filter(each => each.conc_key === key).length >= Number(key.split('-')[1])) return false;
  return hosts.some(({runner, process, plan, machine}) => {
    const isThere = process?.session.isWhole === true && !machine.isSuspended && !process.state.isDrainedHere;
    const held = live.filter(each => each.runner === runner).length;
    return (
      isThere &&
      process.state.attempts.size === 0 &&
      held < plan.slots &&
      requires.every(label => plan.labels.includes(label))
    );
  });
}
