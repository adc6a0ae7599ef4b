import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import type {Slots} from '@switchyard/shared/domain/slots.ts';
import {takeCall} from './agent-call.ts';
import {takeAsk, withdrawAsk} from './asks.ts';
import type {Batch} from './batch.ts';
import {takeExit} from './exit.ts';
import {greet} from './greeting.ts';
import {accept, reject, renewItems} from './lease.ts';
import {acknowledgeInput} from './messages.ts';
import {noteAgentEvent, notePhase} from './progress.ts';
import {takeSpending} from './spending.ts';
import type {CheckedUp, From} from './up-work.ts';

/**
 * Handles one message of a runner. Only the newest session of a runner is heard: over any other connection nothing
 * but `hello` means anything, and that connection is closed.
 */
export function handleUp(batch: Batch, from: From, message: CheckedUp): void {
  batch.memory.seenMs.set(from.runner, batch.nowMs);
  if (message.t === 'hello') {
    greet(batch, from, message);
    return;
  }
  const current = batch.runner(from.runner)?.row.connection;
  if (current !== from.connection) {
    batch.context.refuse(`${message.t}.no-session`);
    const code = current === null || current === undefined ? closeCodes.unauthorized : closeCodes.replaced;
    batch.close({runner: from.runner, connection: from.connection, code, why: 'this connection has no session'});
    return;
  }
  handle(batch, from, message);
}

function handle(batch: Batch, from: From, message: Exclude<CheckedUp, {t: 'hello'}>): void {
  switch (message.t) {
    case 'accept':
      accept(batch, from, {ref: message, ts: message.ts});
      return;
    case 'reject':
      reject(batch, from, {ref: message, reject: message});
      return;
    case 'renew':
      renew(batch, from, message);
      return;
    case 'phase':
      notePhase(batch, from, {...message, ref: message});
      return;
    case 'event':
      noteAgentEvent(batch, from, {...message, ref: message});
      return;
    case 'exit':
      takeExit(batch, from, {ref: message, exit: message.exit});
      return;
    case 'input_ack':
      acknowledgeInput(batch, from, {...message, ref: message});
      return;
    case 'ask':
      if (message.kind === 'call') takeCall(batch, from, message);
      else takeAsk(batch, from, {...message, kind: message.kind});
      return;
    case 'ask_withdrawn':
      withdrawAsk(batch, from, message);
      return;
    case 'spending':
      takeSpending(batch, from, {...message, ref: message});
      return;
    case 'draining':
      stateSlots(batch, from, {default: 0});
      return;
    case 'metrics': {
      const {t: _type, attempts = [], ...metrics} = message;
      batch.memory.metrics.set(from.runner, metrics);
      batch.memory.resources.set(from.runner, attempts);
      return;
    }
  }
}

function renew(
  batch: Batch,
  from: From,
  {ts, slots, items}: {readonly ts: number; readonly slots: Slots; readonly items: readonly HeldAttempt[]},
): void {
  stateSlots(batch, from, slots);
  const renewed = renewItems(batch, from, {items, ts});
  batch.send(from.runner, {t: 'renewed', items: renewed.map(({task, epoch}) => ({task, epoch})), echo: ts});
}

/** Written only when it changes: most renewals repeat what is known. */
function stateSlots(batch: Batch, {runner}: From, slots: Slots): void {
  const text = JSON.stringify(slots);
  const row = batch.runner(runner)?.row;
  if (row !== undefined && row.slots !== text) batch.changeRunner({...row, slots: text, seen_ms: batch.nowMs});
}
