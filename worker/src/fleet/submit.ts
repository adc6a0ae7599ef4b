import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {newTaskId, type RandomBytes, type TaskId} from '@switchyard/shared/domain/id.ts';
import {concurrencyOnSubmit, orderKey} from '@switchyard/shared/domain/queue-order.ts';
import {concurrencyOf, roleOf} from '@switchyard/shared/domain/role-defaults.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Batch} from './batch.ts';
import {cancelTask} from './cancel.ts';
import {canPlace, dispatch} from './dispatch.ts';
import type {Caller, Submission} from './fleet-rpc.ts';
import {laneOf, readLane} from './lane.ts';
import {nonceOf, permit, spendNonce} from './permission.ts';
import {answeredBefore, noteAlias, noteIdempotency, requireRoomForKey} from './submitted-before.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';

const capacityRetryAfterMs = 5_000;
const titleCharactersMax = 200;

export type Submitted = {readonly ids: readonly TaskId[]; readonly created: boolean};

/**
 * Takes tasks, all or none. A dependency has to exist already and ids are made here, so no task can ever depend on
 * itself through others: a cycle cannot be stated.
 *
 * Throws `replayed_signature`, `idempotency_conflict`, `queue_full`, `capacity_reached`, `invalid_request`.
 */
export function submit(
  batch: Batch,
  {
    caller,
    submission,
    randomBytes,
  }: {readonly caller: Caller; readonly submission: Submission; readonly randomBytes: RandomBytes},
): Submitted {
  const {memory, context} = batch;
  permit(memory, caller, 'write');
  // The id of a Standard Webhook is its nonce and its idempotency key: sent again, it is answered and not refused.
  const isRepeatable = submission.idempotency !== undefined && nonceOf(caller)?.value.includes('webhook:') === true;
  if (!isRepeatable) spendNonce(context.sql, caller);
  const before = answeredBefore(context.sql, submission, batch.nowMs);
  if (before !== undefined) return {ids: before, created: false};
  requireRoomForKey(memory, submission);
  if (memory.waiting + submission.specs.length > limits.queuedTasksMax)
    throw new SwitchyardError('queue_full', `${memory.waiting} tasks wait`, {retryAfterMs: capacityRetryAfterMs});
  if (!submission.queue) requireCapacity(batch, submission.specs);
  const wanted = submission.specs.map(spec => ({
    spec,
    text: JSON.stringify(spec),
    unmet: openDependencies(batch, spec),
  }));
  const ids = wanted.map(each => {
    const id = newTaskId(batch.nowMs, randomBytes);
    const {retriedFrom = null, parent = null} = submission;
    enqueue(batch, {id, ...each, retriedFrom, parent});
    return id;
  });
  const [first] = ids;
  if (submission.alias !== undefined && first !== undefined)
    noteAlias(context.sql, {alias: submission.alias, task: first, hash: submission.idempotency?.bodySha256 ?? null});
  noteIdempotency(batch, submission, ids);
  if (!submission.queue) dispatch(batch);
  return {ids, created: true};
}

type Enqueue = {
  readonly id: TaskId;
  readonly spec: TaskSpec;
  /** The spec as JSON: what is stored, hashed and signed. */
  readonly text: string;
  readonly unmet: Dependencies;
  readonly retriedFrom: TaskId | null;
  readonly parent: TaskId | null;
};

function enqueue(batch: Batch, {id, spec, text, unmet, retriedFrom, parent}: Enqueue): void {
  const competitors = competingTasks(batch, spec);
  const isEarly = (spec.not_before_ms ?? 0) > batch.nowMs;
  const isHeldBack = unmet.open.length > 0 || isEarly;
  const created = batch.create(newRow(batch, {id, spec, retriedFrom, parent}), text);
  const data = {...(retriedFrom === null ? {} : {retried_from: retriedFrom}), ...(parent === null ? {} : {parent})};
  const dueMs = unmet.open.length === 0 && isEarly ? spec.not_before_ms : undefined;
  const row = batch.change(
    created,
    {unmet: unmet.open.length, due_ms: earliest(dueMs, spec.deadline_ms)},
    {kind: 'task.submitted', data},
  );
  if (unmet.open.length > 0) batch.memory.hasDependencies = true;
  if (parent !== null) batch.memory.hasSubtasks = true;
  for (const needs of unmet.open)
    batch.context.sql.run('INSERT OR IGNORE INTO dependency (needs, task) VALUES (?, ?)', needs, id);
  const {cancelSelf, cancel} = concurrencyOnSubmit(concurrencyOf(spec) ?? {mode: 'queue', limit: 1}, competitors);
  for (const other of cancel) cancelOther(batch, other, id);
  begin(batch, row, {cancelSelf, isHeldBack, failed: unmet.failed});
}

type Beginning = {readonly cancelSelf: boolean; readonly isHeldBack: boolean; readonly failed: string | undefined};

function begin(batch: Batch, row: TaskRow, {cancelSelf, isHeldBack, failed}: Beginning): void {
  if (cancelSelf) {
    cancelTask(batch, row, {reason: `another task holds the concurrency key ${row.conc_key ?? ''}`, grace_ms: 0});
  } else if (failed !== undefined) {
    const note = {code: 'dependency_failed', detail: `${failed} did not succeed`} as const;
    advance(batch, row, {event: 'dependencyFailed', note});
  } else if (!isHeldBack) {
    advance(batch, row, {event: 'ready'});
  }
}

function earliest(...times: readonly (number | undefined)[]): number | null {
  const known = times.filter(time => time !== undefined);
  return known.length === 0 ? null : Math.min(...known);
}

/** Tasks of one millisecond are a microsecond apart, in the order in which they came. */
function nextQueuedMs({memory, nowMs}: Batch): number {
  memory.queuedMs = Math.max(nowMs, memory.queuedMs + 0.001);
  return memory.queuedMs;
}

function newRow(batch: Batch, {id, spec, retriedFrom, parent}: Omit<Enqueue, 'unmet' | 'text'>): TaskRow {
  const {nowMs} = batch;
  const fractionMs = nextQueuedMs(batch) - nowMs;
  return {
    id,
    state: 'pending',
    epoch: 0,
    runner: null,
    phase: null,
    phase_seq: -1,
    event_seq: -1,
    expires_ms: null,
    due_ms: null,
    failure_count: 0,
    failures: '[]',
    unmet: 0,
    queued_ms: null,
    started_ms: null,
    finished_ms: null,
    cancel: null,
    result: null,
    log_bytes: 0,
    log_live: 0,
    events: 0,
    messages: 0,
    messages_open: 0,
    lane: laneOf(spec),
    order_key: orderKey(Math.max(nowMs, spec.not_before_ms ?? 0) + fractionMs, spec.priority),
    prefers: JSON.stringify(spec.prefers),
    conc_key: concurrencyOf(spec)?.key ?? null,
    attempts_max: spec.attempts_max,
    not_before_ms: spec.not_before_ms ?? null,
    deadline_ms: spec.deadline_ms ?? null,
    title: spec.title ?? firstLine(spec.prompt),
    repository: spec.repository?.url ?? null,
    agent_type: roleOf(spec.agent),
    created_ms: nowMs,
    retried_from: retriedFrom,
    parent,
  };
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, titleCharactersMax);
}

/** `queue: false`: everything that waits is served first; then each task needs a runner that takes it at once. */
function requireCapacity(batch: Batch, specs: readonly TaskSpec[]): void {
  dispatch(batch);
  const refuse = (detail: string): never => {
    throw new SwitchyardError('capacity_reached', detail, {retryAfterMs: capacityRetryAfterMs});
  };
  if (specs.length !== 1) refuse('only one task at a time can be submitted with queue=false');
  for (const spec of specs) {
    const lane = laneOf(spec);
    const starts = spec.depends_on.length === 0 && (spec.not_before_ms ?? 0) <= batch.nowMs;
    if (!starts || !canPlace(batch, readLane(lane), lane)) refuse('no runner is free for this task');
  }
}

type Dependencies = {readonly open: readonly string[]; readonly failed: string | undefined};

function openDependencies(batch: Batch, spec: TaskSpec): Dependencies {
  const open: string[] = [];
  let failed: string | undefined;
  for (const id of new Set(spec.depends_on)) {
    const row = batch.task(id);
    if (row === undefined) throw new SwitchyardError('invalid_request', `depends_on: there is no task ${id}`);
    if (row.finished_ms === null) open.push(id);
    else if (row.state !== 'succeeded') failed = id;
  }
  return {open, failed};
}

function competingTasks(batch: Batch, {concurrency}: TaskSpec): readonly string[] {
  if (concurrency === undefined || concurrency.mode === 'queue') return [];
  batch.flush();
  return batch.context.sql
    .all<{id: string}>('SELECT id FROM task WHERE conc_key = ? AND finished_ms IS NULL ORDER BY id', concurrency.key)
    .map(({id}) => id);
}

function cancelOther(batch: Batch, id: string, by: string): void {
  const row = batch.task(id);
  if (row === undefined || row.state === 'cancelling') return;
  cancelTask(batch, row, {reason: `replaced by ${by}`, grace_ms: limits.cancelGraceMs});
}
