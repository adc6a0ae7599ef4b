import {missingLabels, preference} from '@switchyard/shared/domain/labels.ts';
import {compareCandidates, level, type Candidate} from '@switchyard/shared/domain/queue-order.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {freeSlots} from '@switchyard/shared/domain/slots.ts';
import type {Batch} from './batch.ts';
import {Heap} from './heap.ts';
import {requiredLabels} from './required-labels.ts';
import type {LaneKey} from './lane.ts';
import type {Lane} from './lanes.ts';
import type {Runner} from './runner-row.ts';
import {sendOffer} from './offer.ts';
import {readLabels} from './task-columns.ts';
import {blockingOn} from './source.ts';
import {emptyPurse, setAside} from './spending.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';

type Entry = Candidate & {readonly lane: Lane};

/** Offers waiting tasks to free runners, in the order of the queue, until either runs out. */
export function dispatch(batch: Batch): void {
  if (roomInPool(batch) <= 0 || batch.memory.waiting === 0) return;
  const runners = takers(batch);
  if (runners.length === 0) return;
  const heap = new Heap<Entry>(compareCandidates);
  for (const lane of batch.memory.lanes.all())
    if (candidatesFor(batch, lane, runners).length > 0) heap.push(entryOf(batch, lane));
  for (let entry = heap.pop(); entry !== undefined && roomInPool(batch) > 0; entry = heap.pop())
    place(batch, {entry, heap, runners});
}

/** Offers the head of a lane, and puts the lane back while it can go on. */
function place(
  batch: Batch,
  {entry, heap, runners}: {entry: Entry; heap: Heap<Entry>; runners: readonly Runner[]},
): void {
  const {lanes, turns} = batch.memory;
  const {lane} = entry;
  const candidates = candidatesFor(batch, lane, runners);
  if (candidates.length === 0) return;
  const head = lanes.head(lane, () => batch.flush());
  if (head === undefined) return;
  if (head.order_key !== entry.orderKey || turns.passOf(lane.key.fairnessKey) !== entry.pass) {
    heap.push(entryOf(batch, lane));
    return;
  }
  const runner = best(batch, {head, candidates, slotClass: lane.key.slotClass});
  if (runner === undefined) return;
  if (!withhold(batch, head)) {
    offer(batch, head, runner);
    turns.serve(lane.key.fairnessKey);
  }
  if (lane.count > 0) heap.push(entryOf(batch, lane));
}

/** Whether a task of this lane would be offered at once, everything that waits having been served. */
export function canPlace(batch: Batch, key: LaneKey, laneText: string): boolean {
  return (
    roomInPool(batch) > 0 &&
    (batch.memory.lanes.get(laneText)?.count ?? 0) === 0 &&
    candidates(batch, {key, text: laneText}, takers(batch)).length > 0
  );
}

function roomInPool({memory}: Batch): number {
  const {paused, draining, latched, max_concurrent} = memory.settings;
  return paused || draining || latched ? 0 : (max_concurrent ?? Infinity) - memory.live.size;
}

/** Runners that may get offers at all. */
function takers({memory}: Batch): readonly Runner[] {
  return [...memory.runners.values()].filter(
    ({row}) => row.connection !== null && row.draining === 0 && row.revoked_ms === null,
  );
}

function candidatesFor(batch: Batch, lane: Lane, runners: readonly Runner[]): readonly Runner[] {
  return candidates(batch, {key: lane.key, text: lane.text}, runners);
}

function candidates(
  {memory, nowMs}: Batch,
  {key, text}: {readonly key: LaneKey; readonly text: string},
  runners: readonly Runner[],
): readonly Runner[] {
  const {concurrency} = key;
  if (concurrency !== null && memory.live.active(concurrency.key) >= concurrency.limit) return [];
  if (memory.spending.blocking(key.spender, nowMs) !== undefined) return [];
  const requires = requiredLabels(memory, key);
  const blocking = blockingOn(memory.spending, key, nowMs);
  return runners.filter(
    runner =>
      freeSlots(runner.slots, memory.live.heldBy(runner.row.id), key.slotClass) > 0 &&
      missingLabels(requires, runner.labels).length === 0 &&
      blocking(runner) === undefined &&
      !memory.avoidance.isAvoided(text, runner.row.id),
  );
}

function entryOf({memory, nowMs}: Batch, lane: Lane): Entry {
  return {
    lane,
    level: level(lane.headKey, nowMs),
    pass: memory.turns.passOf(lane.key.fairnessKey),
    orderKey: lane.headKey,
    id: lane.first[0]?.id ?? '',
  };
}

type Choice = {readonly head: TaskRow; readonly candidates: readonly Runner[]; readonly slotClass: string};

/** The runner with the labels that the task prefers; among equals the one with the most free slots. */
function best({memory}: Batch, {head, candidates, slotClass}: Choice): Runner | undefined {
  const prefers = readLabels(head.prefers);
  const rank = (runner: Runner): readonly [number, number] => [
    preference(prefers, runner.labels),
    freeSlots(runner.slots, memory.live.heldBy(runner.row.id), slotClass),
  ];
  let [found] = candidates;
  if (found === undefined) return undefined;
  let foundRank = rank(found);
  for (const runner of candidates.slice(1)) {
    const [weight, free] = rank(runner);
    if (weight < foundRank[0] || (weight === foundRank[0] && free <= foundRank[1])) continue;
    found = runner;
    foundRank = [weight, free];
  }
  return found;
}

/** Keeps back a task for which nothing is left of what those above it, or itself, let all that works for them spend. */
function withhold(batch: Batch, row: TaskRow): boolean {
  const empty = emptyPurse(batch, row);
  if (empty === undefined) return false;
  const detail = 'nothing is left of the budget of the task, its sub-tasks and those above it';
  const note = {code: 'budget_spent', detail} as const;
  const parks = empty === 'promised';
  advance(batch, row, {event: 'withheld', parks, note, retryAfterMs: limits.purseLookMs});
  return true;
}

function offer(batch: Batch, row: TaskRow, {row: runner}: Runner): void {
  const untilMs = batch.nowMs + batch.context.leaseConfig(runner.lease_class).offer_ms;
  const epoch = row.epoch + 1;
  const change = {epoch, runner: runner.id, expires_ms: untilMs, phase: null, phase_seq: -1, event_seq: -1};
  const next = advance(batch, row, {event: 'offered', change, data: {runner: runner.id}});
  if (next === undefined) return;
  setAside(batch, next);
  sendOffer(batch, next);
}
