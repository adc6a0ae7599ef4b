import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {newApprovalId, type TaskId} from '@switchyard/shared/domain/id.ts';
import {
  approvalMachine,
  type ApprovalEvent,
  type ApprovalKind,
  type ApprovalState,
} from '@switchyard/shared/machine/approval-machine.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {AskMessage} from '@switchyard/shared/protocol/ask-message.ts';
import {
  approvalById,
  approvalOfAsk,
  carriedDecisions,
  dueApprovals,
  firstExpiryMs,
  openApprovalsOf,
  saveApproval,
  type ApprovalRow,
} from './approval-row.ts';
import {approvalStep, settleApproval, type Settlement} from './approval-step.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import type {Batch} from './batch.ts';
import {decidedText, grantedText, type Granted} from './granted.ts';
import {openMessagesMax, takeMessage} from './messages.ts';
import {pinnedTo, unpinned} from './session-pin.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';
import type {From, Ref} from './up-work.ts';

/** What only a person can answer. */
type PersonAsk = AskMessage & {readonly kind: ApprovalKind};

const dueApprovalsMax = 500;
const shownInputMax = 500;

/**
 * An agent waits for a person. The same ask again opens nothing: it is answered where it was decided. An ask that an
 * earlier attempt ended with, and no other, goes on in the attempt that continues its session.
 */
export function takeAsk(batch: Batch, from: From, ask: PersonAsk): void {
  const {sql} = batch.context;
  const task = heldRow(batch, from, ask);
  if (task === undefined || task.state === 'offered') {
    answerStale(batch, from, ask, 'ask');
    return;
  }
  const known = approvalOfAsk(sql, ask.task, ask.id);
  if (known !== undefined && goesOn(known, ask)) {
    const row = {...known, task: ask.task, epoch: ask.epoch, carried: 0};
    if (known.carried === 1) saveApproval(sql, row);
    sendAnswer(batch, row);
    return;
  }
  const refusal = refusalOf(batch, task, known);
  if (refusal === undefined) {
    open(batch, ask, known);
    return;
  }
  const {epoch, id} = ask;
  batch.send(from.runner, {t: 'answer', task: ask.task, epoch, id, decision: 'reject', text: refusal, by: null});
}

/**
 * Whether it is the ask that is known. What a person decided about one call says nothing about another one that has its
 * id.
 */
function goesOn(known: ApprovalRow, {epoch, kind, tool, input}: PersonAsk): boolean {
  const isSame = known.kind === kind && (kind !== 'permission' || (known.tool === tool && known.input === input));
  return isSame && (known.epoch === epoch || known.carried === 1) && known.state !== 'withdrawn';
}

/** Why nobody is asked for a task. */
function refusalOf({context: {sql}}: Batch, {id, state}: TaskRow, known: ApprovalRow | undefined): string | undefined {
  if (state === 'cancelling') return 'the task is being cancelled';
  if (known?.state === 'open') return 'another call of this id waits for a person';
  if (openApprovalsOf(sql, id).length < limits.asksOpenMax) return undefined;
  return `${limits.asksOpenMax} questions of this task are open already`;
}

function open(batch: Batch, ask: PersonAsk, known: ApprovalRow | undefined): void {
  const {context, memory, nowMs} = batch;
  const {task, epoch, id, kind, tool, input, reason, rule, expires_in_ms: ttlMs} = ask;
  if (known !== undefined && approvalStep(batch, known, 'askedAnew') === undefined) return;
  const row: Asked = {
    id: known?.id ?? newApprovalId(nowMs, length => Uint8Array.from({length}, () => context.random() * 256)),
    ...{task, ask: id, epoch, carried: 0, kind, state: approvalMachine.initial, tool, input, reason, rule},
    created_ms: nowMs,
    expires_ms: nowMs + ttlMs,
    decided_ms: null,
    decided_by: null,
    text: null,
    granted: null,
  };
  saveApproval(context.sql, row);
  memory.askingTasks.add(task);
  memory.approvalDueMs = Math.min(memory.approvalDueMs, row.expires_ms);
  note(batch, row);
}

/** The agent does not wait any more, although its attempt goes on. */
export function withdrawAsk(batch: Batch, from: From, {task, epoch, id}: Ref & {readonly id: string}): void {
  const row = approvalOfAsk(batch.context.sql, task, id);
  if (heldRow(batch, from, {task, epoch}) === undefined || row?.epoch !== epoch || row.state !== 'open') return;
  settle(batch, row, {event: 'withdraw', by: null, text: null});
}

const decisions = {
  approve: 'approved',
  grant: 'approved',
  reject: 'rejected',
  answer: 'answered',
} as const satisfies Partial<Record<ApprovalEvent, ApprovalState>>;
export type Decision = {
  readonly decision: keyof typeof decisions;
  readonly text: string;
  readonly by: string;
  /** Stated by a grant alone. */
  readonly granted?: Granted;
};

const takes = {permission: 'approve', question: 'answer', budget: 'grant'} as const satisfies Record<
  ApprovalKind,
  ApprovalEvent
>;

/**
 * The word of a person. The first stands, and the same again changes nothing. Throws `not_found`, `already_decided`, or
 * `invalid_request` for an answer to what is no question, and the other way round.
 */
export function decide(batch: Batch, id: string, {decision, text, by, granted}: Decision): ApprovalRow {
  const row = approvalById(batch.context.sql, id);
  if (row === undefined) throw new SwitchyardError('not_found', `there is no approval ${id}`);
  const said = granted === undefined ? row : {...row, granted: grantedText(granted)};
  if (isSame(row, {decision, text, granted: said.granted})) return row;
  if (row.state !== 'open') throw new SwitchyardError('already_decided', decidedText(row));
  const next = settle(batch, said, {event: decision, by, text});
  if (next !== undefined) return next;
  throw new SwitchyardError('invalid_request', `${id} is a ${row.kind}: ${takes[row.kind]} or reject it`);
}

/**
 * Other words are another answer, and another amount another grant: whoever gave them has to know that nobody hears them.
 * The reason of a decision is none.
 */
function isSame(
  {state, kind, text: said, granted: before}: ApprovalRow,
  {decision, text, granted}: Pick<Decision, 'decision' | 'text'> & Pick<ApprovalRow, 'granted'>,
): boolean {
  if (state !== decisions[decision]) return false;
  if (decision === 'reject') return true;
  if (decision !== takes[kind]) return false;
  return decision === 'answer' ? said === text : before === granted;
}

/** Rejects what nobody decided in time. Runs at the start of every batch. */
export function passApprovals(batch: Batch): void {
  const {memory, context, nowMs} = batch;
  if (memory.approvalDueMs > nowMs) return;
  for (const row of dueApprovals(context.sql, nowMs, dueApprovalsMax))
    settle(batch, row, {event: 'timePassed', by: null, text: 'nobody decided in time'});
  memory.approvalDueMs = firstExpiryMs(context.sql);
}

/**
 * The attempt of a task has ended in order to wait for these asks; what else it had asked nobody waits for. Answers
 * whether one of them is still open.
 */
export function carryAsks(batch: Batch, {task, epoch}: Ref, asks: readonly string[]): boolean {
  const {sql} = batch.context;
  for (const row of openApprovalsOf(sql, task))
    if (!asks.includes(row.ask)) settle(batch, row, {event: 'withdraw', by: null, text: null});
  const carried = asks.flatMap(ask => approvalOfAsk(sql, task, ask) ?? []).filter(row => row.epoch === epoch);
  for (const row of carried) saveApproval(sql, {...row, carried: 1});
  return carried.some(({state}) => state === 'open');
}

/** The machine with the session does not come back: another begins anew, and its agent is told what people decided. */
export function giveUpSession(batch: Batch, row: TaskRow): void {
  const {sql} = batch.context;
  const next = batch.change(row, {due_ms: row.deadline_ms, ...unpinned(sql, row)});
  const decided = carriedDecisions(sql, row.id);
  if (decided.length === 0 || row.messages_open >= openMessagesMax) return;
  const lines = decided.map(
    ({tool, input, state, text}) => `- ${tool} ${input.slice(0, shownInputMax)}: ${state}${text ? `: ${text}` : ''}`,
  );
  const said = ['People decided on what an earlier attempt at this task had asked them:', ...lines].join('\n');
  takeMessage(batch, next, {text: said.slice(0, limits.messageCharactersMax)});
}

/** What the agent of a task asked. */
type Asked = ApprovalRow & {readonly task: TaskId};

function settle(batch: Batch, row: ApprovalRow, settlement: Settlement): ApprovalRow | undefined {
  const next = settleApproval(batch, row, settlement);
  if (next === undefined || next.task === null) return next;
  const asked = {...next, task: next.task};
  note(batch, asked);
  const {askingTasks} = batch.memory;
  if (openApprovalsOf(batch.context.sql, asked.task).length === 0 && askingTasks.delete(asked.task))
    batch.undoable(() => askingTasks.add(asked.task));
  sendAnswer(batch, asked);
  goOn(batch, asked);
  return next;
}

/** One line in the history of the task. */
function note(batch: Batch, {id, task, kind, state, tool, reason, rule, decided_by: by, text}: Asked): void {
  const row = batch.task(task);
  const data = state === 'open' ? {approval: id, kind, tool, reason, rule} : {approval: id, kind, tool, by, text};
  if (row !== undefined) batch.change(row, {}, {kind: `approval.${state}`, data});
}

const wireDecisions: {readonly [State in ApprovalState]?: 'approve' | 'reject' | 'answer'} = {
  approved: 'approve',
  rejected: 'reject',
  answered: 'answer',
  expired: 'reject',
};

/** To the runner whose attempt asks right now, if there is one; a later attempt hears of it when it asks again. */
function sendAnswer(batch: Batch, {task, ask, epoch, state, text, decided_by: by}: Asked): void {
  const row = batch.memory.live.get(task);
  const decision = wireDecisions[state];
  if (decision === undefined || row?.epoch !== epoch || row.state === 'offered') return;
  batch.send(row.runner, {t: 'answer', task, epoch, id: ask, decision, text: text ?? '', by});
}

/** A task that waits for nobody any more is queued, first for the machine that holds its session. */
function goOn(batch: Batch, {task, epoch}: Asked): void {
  const row = batch.task(task);
  if (row?.state !== 'paused' || batch.memory.askingTasks.has(task)) return;
  advance(batch, row, {event: 'decided', change: pinnedTo(batch, row, epoch)});
}
