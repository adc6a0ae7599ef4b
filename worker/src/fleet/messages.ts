import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {interruptProtocol} from '@switchyard/shared/protocol/version.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import type {Batch} from './batch.ts';
import type {TaskRow} from './task-row.ts';
import type {From, Ref} from './up-work.ts';

/** What a person says to an agent, which may leave what it is doing for it. */
export type Message = {readonly text: string; readonly interrupt?: boolean | undefined};

/** Messages of one task that no agent has taken. */
export const openMessagesMax = 100;

/**
 * Takes a message for the agent of a task. It is kept until an agent acknowledges it, and sent to each attempt that
 * runs until then. Throws `already_finished` or `rate_limited`.
 */
export function takeMessage(batch: Batch, row: TaskRow, message: Message): number {
  if (isFinished(row.state)) throw new SwitchyardError('already_finished', `${row.id} has ended as ${row.state}`);
  if (row.messages_open >= openMessagesMax)
    throw new SwitchyardError('rate_limited', `${row.id} has ${openMessagesMax} messages that no agent has taken`, {
      retryAfterMs: 10_000,
    });
  const seq = row.messages + 1;
  batch.context.sql.run(
    'INSERT INTO message (task, seq, text, interrupts) VALUES (?, ?, ?, ?)',
    row.id,
    seq,
    message.text,
    Number(message.interrupt === true),
  );
  const next = batch.change(
    row,
    {messages: seq, messages_open: row.messages_open + 1},
    {kind: 'message.queued', data: {seq}},
  );
  if (next.state === 'leased' && next.phase === 'running') sendInput(batch, next, {seq, ...message});
  return seq;
}

/** Sends what no agent has taken yet. */
export function sendMessages(batch: Batch, row: TaskRow): void {
  if (row.messages_open === 0) return;
  const open = batch.context.sql.all<{seq: number; text: string; interrupts: number}>(
    'SELECT seq, text, interrupts FROM message WHERE task = ? ORDER BY seq',
    row.id,
  );
  for (const {seq, text, interrupts} of open) sendInput(batch, row, {seq, text, interrupt: interrupts === 1});
}

export function acknowledgeInput(
  batch: Batch,
  from: From,
  {ref, seq, delivered}: {readonly ref: Ref; readonly seq: number; readonly delivered: boolean},
): void {
  const row = heldRow(batch, from, ref);
  if (row === undefined) {
    answerStale(batch, from, ref, 'input_ack');
    return;
  }
  const {sql} = batch.context;
  if (sql.all('SELECT seq FROM message WHERE task = ? AND seq = ?', row.id, seq).length === 0) return;
  sql.run('DELETE FROM message WHERE task = ? AND seq = ?', row.id, seq);
  const kind = delivered ? 'message.delivered' : 'message.refused';
  batch.change(row, {messages_open: row.messages_open - 1}, {kind, data: {seq}});
}

function sendInput(batch: Batch, row: TaskRow, {seq, text, interrupt}: Message & {readonly seq: number}): void {
  const {protocol = 0} = (row.runner === null ? undefined : batch.runner(row.runner)?.row) ?? {};
  // An older runner hands it over all the same, in the time of its agent.
  const how = interrupt === true && protocol >= interruptProtocol ? {interrupt} : {};
  batch.send(row.runner, {t: 'input', task: row.id, epoch: row.epoch, seq, data: text, ...how});
}
