import {negotiate} from '@switchyard/shared/domain/lease.ts';
import {verdictOf} from '@switchyard/shared/domain/verdict.ts';
import type {HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import type {Verdict} from '@switchyard/shared/protocol/down.ts';
import type {Hello} from '@switchyard/shared/protocol/up.ts';
import {closeCodes, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import type {Batch} from './batch.ts';
import {applyCharters} from './charter-budgets.ts';
import {renewItems} from './lease.ts';
import {sendMessages} from './messages.ts';
import {sendOffer} from './offer.ts';
import type {RunnerRow} from './runner-row.ts';
import type {From} from './up-work.ts';

/**
 * Opens a session. The newest one of a runner wins at once; the answer says for every attempt that the runner names
 * what becomes of it, and what the server still owes is sent again.
 */
export function greet(
  batch: Batch,
  from: From,
  {hello, isSigned}: {readonly hello: Hello; readonly isSigned: boolean},
): void {
  const runner = batch.runner(from.runner);
  const refuse = (code: number, why: string): void => {
    batch.context.refuse(`hello.${code}`);
    batch.close({runner: from.runner, connection: from.connection, code, why});
  };
  if (runner === undefined || !isSigned || hello.runner !== from.runner) {
    refuse(closeCodes.unauthorized, 'the hello is not signed by the key of this runner');
    return;
  }
  if (runner.row.revoked_ms !== null) {
    refuse(closeCodes.revoked, 'this runner was revoked');
    return;
  }
  const protocol = negotiate(hello.protocols, protocolVersions);
  if (protocol === undefined) {
    refuse(closeCodes.protocolTooOld, `the server speaks protocol ${protocolVersions.join(', ')}`);
    return;
  }
  replaceSession(batch, from, {row: {...runner.row, protocol}, hello});
  applyCharters(batch, from.runner);
  const verdicts = hello.inventory.map(item => judge(batch, from, item));
  batch.send(from.runner, {
    t: 'welcome',
    session: hello.session,
    protocol,
    server_time_ms: batch.nowMs,
    config: batch.context.leaseConfig(hello.lease_class),
    verdicts,
    echo: hello.ts,
  });
  const kept = hello.inventory.filter((_, index) => {
    const verdict = verdicts[index]?.verdict;
    return verdict === 'keep' || verdict === 'send_exit';
  });
  renewItems(batch, from, {items: kept, ts: hello.ts});
  sendOwed(batch, from, hello);
}

function replaceSession(
  batch: Batch,
  from: From,
  {row, hello}: {readonly row: RunnerRow; readonly hello: Hello},
): void {
  const {connection, transport} = row;
  if (connection !== null && connection !== from.connection)
    batch.close({runner: row.id, connection, code: closeCodes.replaced, why: 'a newer session of this runner'});
  if (transport === 'poll') batch.context.sql.run('DELETE FROM mailbox WHERE runner = ?', row.id);
  batch.memory.avoidance.forget(row.id);
  batch.changeRunner({
    ...row,
    connection: from.connection,
    transport: from.transport,
    labels: JSON.stringify(hello.labels),
    slots: JSON.stringify(hello.slots),
    lease_class: hello.lease_class,
    version: hello.version,
    boot_id: hello.boot_id,
    seen_ms: batch.nowMs,
  });
}

function judge(batch: Batch, {runner}: From, item: HeldAttempt): Verdict {
  const row = batch.task(item.task);
  const outcome = batch.attemptOutcome(item.task, item.epoch, runner);
  const held =
    row === undefined
      ? undefined
      : {
          state: row.state,
          epoch: row.epoch,
          runner: row.runner,
          isExitAccepted: outcome !== undefined && outcome !== 'lease_lost',
        };
  return {task: item.task, epoch: item.epoch, verdict: verdictOf(held, item, runner)};
}

/** What may have been lost with the connection before: offers, messages of people, the wish that it drains. */
function sendOwed(batch: Batch, {runner}: From, hello: Hello): void {
  const named = new Set(hello.inventory.map(({task, epoch}) => `${task} ${epoch}`));
  for (const row of batch.memory.live.ofRunner(runner)) {
    const isNamed = named.has(`${row.id} ${row.epoch}`);
    if (row.state === 'offered' && !isNamed) sendOffer(batch, row);
    if (row.state === 'leased' && row.phase === 'running' && isNamed) sendMessages(batch, row);
  }
  if (batch.runner(runner)?.row.draining === 1) batch.send(runner, {t: 'drain'});
}
