import {keyOf} from '../kernel/fact.ts';
import type {World} from '../world.ts';
import type {Finding, Invariant} from './invariant.ts';

type Row = {id: string; state: string; epoch: number; messages: number};

export const nothingForgotten: Invariant = {
  number: 13,
  name: 'nothingForgotten',
  sentence: 'What a client or a runner was told is true after every death of the object, at whatever point it died.',
  watch: world => {
    const submitted = new Set<string>();
    const cancelled = new Set<string>();
    const epochs = new Map<string, number>();
    const messages = new Map<string, number>();
    const acknowledged = new Map<string, {readonly task: string; readonly epoch: number}>();
    const check = (): Finding => {
      const rows = new Map(
        world.fleet.sql.all<Row>('SELECT id, state, epoch, messages FROM task').map(row => [row.id, row]),
      );
      const state = (id: string): string => rows.get(id)?.state ?? 'not there';
      const missing = [...submitted].find(id => !rows.has(id));
      if (missing !== undefined) return `${missing} was acknowledged and is not there`;
      const revived = [...cancelled].find(id => state(id) !== 'cancelling' && state(id) !== 'cancelled');
      if (revived !== undefined) return `${revived} was cancelled and is ${state(revived)}`;
      const older = [...epochs].find(([id, epoch]) => (rows.get(id)?.epoch ?? 0) < epoch);
      if (older !== undefined) return `e${older[1]} of ${older[0]} was sent to a runner and is forgotten`;
      const unheard = [...messages].find(([id, seq]) => (rows.get(id)?.messages ?? 0) < seq);
      if (unheard !== undefined) return `message ${unheard[1]} of ${unheard[0]} was acknowledged and is forgotten`;
      for (const [key, {task, epoch}] of acknowledged)
        if (!hasEnded(world, task, epoch)) return `the exit of ${key} was acknowledged and is forgotten`;
      return undefined;
    };
    return {
      on: {
        'client.answered': ({operation, ok, ids, state}) => {
          const [id] = ids;
          if (!ok || id === undefined) return undefined;
          if (operation === 'submit' || operation === 'retry') submitted.add(id);
          if (operation === 'cancel' && (state === 'cancelling' || state === 'cancelled')) cancelled.add(id);
          if (operation === 'message') messages.set(id, Math.max(messages.get(id) ?? 0, Number(state)));
          return undefined;
        },
        'fleet.sent': ({message}) => {
          if (message.t === 'go') epochs.set(message.task, Math.max(epochs.get(message.task) ?? 0, message.epoch));
          if (message.t !== 'exit_ack') return undefined;
          acknowledged.set(keyOf(message), message);
          return hasEnded(world, message.task, message.epoch)
            ? undefined
            : `the exit of ${keyOf(message)} was acknowledged and not stored`;
        },
        task: ({after}) =>
          cancelled.has(after.id) && after.state !== 'cancelling' && after.state !== 'cancelled'
            ? `${after.id} was cancelled and became ${after.state}`
            : undefined,
        'fleet.restarted': check,
        rest: check,
      },
    };
  },
};

function hasEnded({fleet}: World, task: string, epoch: number): boolean {
  const [row] = fleet.sql.all<{outcome: string}>(
    'SELECT outcome FROM attempt WHERE task = ? AND epoch = ?',
    task,
    epoch,
  );
  return row !== undefined && row.outcome !== 'lease_lost';
}
