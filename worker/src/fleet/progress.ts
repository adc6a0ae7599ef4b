import type {AttemptPhase} from '@switchyard/shared/protocol/attempt-message.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import type {Batch, Json} from './batch.ts';
import {sendMessages} from './messages.ts';
import type {TaskRow} from './task-row.ts';
import type {From, Ref} from './up-work.ts';

type Phase = {readonly ref: Ref; readonly seq: number; readonly phase: AttemptPhase; readonly detail: string};
type AgentEvent = {readonly ref: Ref; readonly seq: number; readonly kind: string; readonly data: Json};

/** What an attempt is doing. A repeated or overtaken message changes nothing. */
export function notePhase(batch: Batch, from: From, {ref, seq, phase, detail}: Phase): void {
  const row = runningRow(batch, from, ref, 'phase');
  if (row === undefined || seq <= row.phase_seq) return;
  const next = batch.change(
    row,
    {phase, phase_seq: seq},
    eventWithin(batch, row, {kind: 'phase', data: {phase, detail}}),
  );
  if (phase === 'running' && row.phase !== 'running' && next.state === 'leased') sendMessages(batch, next);
}

/** What an agent said or did, for the history of its task. */
export function noteAgentEvent(batch: Batch, from: From, {ref, seq, kind, data}: AgentEvent): void {
  const row = runningRow(batch, from, ref, 'event');
  if (row === undefined || seq <= row.event_seq) return;
  batch.change(row, {event_seq: seq}, eventWithin(batch, row, {kind: `agent.${kind}`, data}));
}

function runningRow(batch: Batch, from: From, ref: Ref, kind: string): TaskRow | undefined {
  const row = heldRow(batch, from, ref);
  if (row !== undefined && row.state !== 'offered') return row;
  answerStale(batch, from, ref, kind);
  return undefined;
}

/** The history of one task has an end: what comes after is counted, and its log still holds everything. */
function eventWithin(
  batch: Batch,
  row: TaskRow,
  event: {readonly kind: string; readonly data: Json},
): {readonly kind: string; readonly data: Json} | undefined {
  if (row.events < limits.taskEventsMax) return event;
  batch.context.refuse('event.too-many');
  return undefined;
}
