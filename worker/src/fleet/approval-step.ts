import {approvalMachine, type ApprovalEvent, type ApprovalState} from '@switchyard/shared/machine/approval-machine.ts';
import {step} from '@switchyard/shared/machine/machine.ts';
import {saveApproval, type ApprovalRow} from './approval-row.ts';
import type {Batch} from './batch.ts';

export type Settlement = {readonly event: ApprovalEvent; readonly by: string | null; readonly text: string | null};

/** Takes one arrow of an approval and writes it; undefined where there is none: then nothing changed. */
export function settleApproval(batch: Batch, row: ApprovalRow, {event, by, text}: Settlement): ApprovalRow | undefined {
  const state = approvalStep(batch, row, event);
  if (state === undefined) return undefined;
  const next = {...row, state, decided_ms: batch.nowMs, decided_by: by, text};
  saveApproval(batch.context.sql, next);
  return next;
}

/** Where an event would lead; a refused one is counted. */
export function approvalStep(batch: Batch, row: ApprovalRow, event: ApprovalEvent): ApprovalState | undefined {
  const taken = step(approvalMachine, row.state, event, {kind: row.kind});
  if (taken.taken) return taken.to;
  batch.context.refuse(`approval.${row.state}.${event}`);
  return undefined;
}
