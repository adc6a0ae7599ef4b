import {agentOfLabel, missingLabels} from '@switchyard/shared/domain/labels.ts';
import {freeSlots, slotsTotal} from '@switchyard/shared/domain/slots.ts';
import type {Budget} from './budget-row.ts';
import {isPinnedLane, readLane, type LaneKey} from './lane.ts';
import type {Memory} from './memory.ts';
import {requiredLabels} from './required-labels.ts';
import {blockingOn} from './source.ts';
import type {Runner} from './runner-row.ts';
import type {TaskRow} from './task-row.ts';
import {isVersionLabel, versionReason} from './version-label.ts';

type Waiting = {readonly lane: string; readonly nowMs: number};

/** Why a task that waits cannot start, in words for a person; `null` when it does not wait or may start at once. */
export function waitingFor(memory: Memory, row: TaskRow, nowMs: number): string | null {
  if (row.state === 'pending') return pendingReason(row, nowMs);
  if (row.state === 'paused' || memory.askingTasks.has(row.id)) return 'approval: a person has to decide';
  if (row.state !== 'queued') return null;
  const key = readLane(row.lane);
  return (
    poolReason(memory) ??
    budgetReason(memory.spending.blocking(key.spender, nowMs)) ??
    runnerReason(memory, key, {lane: row.lane, nowMs}) ??
    limitReason(memory, key)
  );
}

function poolReason({settings}: Memory): string | null {
  if (settings.latched) return 'the pool stopped because a task failed: clear the latch';
  if (settings.draining) return 'the pool is shutting down';
  return settings.paused ? 'the pool is paused' : null;
}

function limitReason({settings, live}: Memory, {concurrency}: LaneKey): string | null {
  if (concurrency !== null && live.active(concurrency.key) >= concurrency.limit)
    return `another task holds the concurrency key ${concurrency.key}`;
  if (settings.max_concurrent !== null && live.size >= settings.max_concurrent)
    return `the pool runs at most ${settings.max_concurrent} at once`;
  return null;
}

function budgetReason(blocking: Budget | undefined): string | null {
  return blocking === undefined ? null : `budget: nothing is left of ${blocking.id}`;
}

function pendingReason(row: TaskRow, nowMs: number): string | null {
  if (row.unmet > 0) return row.unmet === 1 ? 'a task that it depends on' : `${row.unmet} tasks that it depends on`;
  if (row.due_ms === null || row.due_ms <= nowMs) return null;
  const time = new Date(row.due_ms).toISOString();
  return row.failure_count > 0 ? `the next attempt at ${time}` : `the time ${time}`;
}

/** Where nothing is left of what would pay for the task on any of its runners. */
function spentReason(
  {spending}: Memory,
  key: LaneKey,
  {connected, nowMs}: {readonly connected: readonly Runner[]; readonly nowMs: number},
): string | null {
  const blocking = connected.map(blockingOn(spending, key, nowMs));
  return blocking.includes(undefined) ? null : budgetReason(blocking[0]);
}

function runnerReason(memory: Memory, key: LaneKey, {lane, nowMs}: Waiting): string | null {
  const reason = matchReason(memory, key, {lane, nowMs});
  return reason !== null && isPinnedLane(lane) ? 'the runner that holds the session of its agent' : reason;
}

function matchReason(memory: Memory, key: LaneKey, {lane, nowMs}: Waiting): string | null {
  const {runners, live, avoidance} = memory;
  const enrolled = [...runners.values()].filter(({row}) => row.revoked_ms === null);
  if (enrolled.length === 0) return 'no runner is enrolled in this pool';
  const stated = key.requires.filter(label => !isVersionLabel(label));
  const matching = enrolled.filter(({labels}) => missingLabels(stated, labels).length === 0);
  if (matching.length === 0) return labelReason(stated, enrolled);
  const linked = matching.filter(({row}) => row.connection !== null);
  if (linked.length === 0) return 'no runner that matches is connected';
  const requires = requiredLabels(memory, key);
  const connected = linked.filter(({labels}) => missingLabels(requires, labels).length === 0);
  const tooOld = versionReason(
    requires,
    linked.map(({labels}) => labels),
  );
  if (tooOld !== null) return tooOld;
  const spent = spentReason(memory, key, {connected, nowMs});
  if (spent !== null) return spent;
  const taking = connected.filter(({row, slots}) => row.draining === 0 && slotsTotal(slots) > 0);
  if (taking.length === 0) return 'every runner that matches is draining';
  const free = taking.filter(({row, slots}) => freeSlots(slots, live.heldBy(row.id), key.slotClass) > 0);
  if (free.length === 0) return 'every runner that matches is busy';
  return free.every(({row}) => avoidance.isAvoided(lane, row.id))
    ? 'the runners that match turned it down just now'
    : null;
}

/** Names the labels that no runner has at all, else says that none has all of them together. */
function labelReason(requires: readonly string[], enrolled: readonly Runner[]): string {
  const nowhere = requires.filter(label => enrolled.every(({labels}) => !labels.has(label)));
  const agent = nowhere.map(agentOfLabel).find(name => name !== undefined);
  if (agent !== undefined)
    return `no runner of this pool has the agent ${agent}: install it on one and start that runner again`;
  if (nowhere.length > 0) return `no runner has the label ${nowhere.join(', ')}`;
  return `no runner has all of the labels ${requires.join(', ')}`;
}
