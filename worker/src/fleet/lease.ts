import {leaseExpiresMs} from '@switchyard/shared/domain/lease.ts';
import type {AttemptPhase, HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import type {Batch} from './batch.ts';
import {returnOffer} from './deadlines.ts';
import {sendMessages} from './messages.ts';
import {unpinned} from './session-pin.ts';
import {readCancel} from './task-columns.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';
import type {From, Ref, Reject} from './up-work.ts';

/** The lease begins with the accept, and begins again when the same accept comes again. */
export function accept(batch: Batch, from: From, {ref, ts}: {readonly ref: Ref; readonly ts: number}): void {
  const row = heldRow(batch, from, ref);
  if (row === undefined) {
    answerStale(batch, from, ref, 'accept');
    return;
  }
  if (row.state === 'cancelling') {
    sendCancel(batch, row);
    return;
  }
  const begins = row.state === 'offered';
  advance(batch, row, {
    event: 'accepted',
    echo: ts,
    change: {
      expires_ms: expiresMs(batch, from),
      ...(begins ? {phase: 'accepted' as const, started_ms: batch.nowMs, ...unpinned(batch.context.sql, row)} : {}),
    },
    data: {runner: from.runner},
  });
}

export function reject(batch: Batch, from: From, {ref, reject}: {readonly ref: Ref; readonly reject: Reject}): void {
  const row = heldRow(batch, from, ref);
  if (row?.state !== 'offered') {
    batch.context.refuse('reject.not-offered');
    return;
  }
  if (reject.retryable) returnOffer(batch, row, `${reject.code}: ${reject.detail}`);
  else advance(batch, row, {event: 'offerRefused', note: {code: reject.code, detail: reject.detail}});
}

/** `batch.renew` names what the runner holds; only that is extended. Answers the attempts that were. */
export function renewItems(
  batch: Batch,
  from: From,
  {items, ts}: {readonly items: readonly HeldAttempt[]; readonly ts: number},
): readonly HeldAttempt[] {
  return items.filter(item => renewItem(batch, from, {item, ts}));
}

function renewItem(batch: Batch, from: From, {item, ts}: {readonly item: HeldAttempt; readonly ts: number}): boolean {
  const row = heldRow(batch, from, item);
  if (row === undefined || (row.state === 'offered' && item.phase !== 'accepted')) {
    answerStale(batch, from, item, 'renew');
    return false;
  }
  if (row.state === 'offered') {
    // Its accept was lost on the way; the inventory says the same, with a stamp of its own.
    accept(batch, from, {ref: item, ts});
    return true;
  }
  const next = batch.change(row, {
    expires_ms: expiresMs(batch, from),
    phase: item.phase,
    log_bytes: Math.max(row.log_bytes, item.spool_len),
  });
  if (row.state === 'cancelling') {
    if (!isEnding(item.phase)) sendCancel(batch, next);
    return true;
  }
  // It waits for a `go` that was lost: this one counts from the stamp of this inventory.
  if (item.phase === 'accepted') batch.send(from.runner, {t: 'go', task: item.task, epoch: item.epoch, echo: ts});
  if (item.phase === 'running' && row.phase !== 'running') sendMessages(batch, next);
  return true;
}

const isEnding = (phase: AttemptPhase): boolean => phase === 'stopping' || phase === 'exited' || phase === 'reported';

function sendCancel(batch: Batch, row: TaskRow): void {
  const of = {task: row.id, epoch: row.epoch};
  batch.send(row.runner, {t: 'cancel', ...of, ...readCancel(row.cancel)});
}

function expiresMs(batch: Batch, {runner}: From): number {
  const leaseClass = batch.runner(runner)?.row.lease_class ?? 'standard';
  return leaseExpiresMs(batch.nowMs, batch.context.leaseConfig(leaseClass));
}
