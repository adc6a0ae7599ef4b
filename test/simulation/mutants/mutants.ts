/** A bug that somebody could have written, in shipped code, and the number of the one invariant that has to find it. */
export type Mutant = {
  readonly id: string;
  readonly invariant: number;
  /** What goes wrong. */
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

/** At least one for each invariant that this one finds and none of the others. */
export const mutants: readonly Mutant[] = [
  {
    id: 'exit-with-agent-alive',
    invariant: 1,
    bug: 'A stopped attempt reports its exit without having ended its agent.',
    file: 'shared/src/machine/attempt-machine.ts',
    find: `      agentEnded: [{to: 'finishing', run: ['finish']}],
      stopRequested: [{to: 'stopping', run: ['stopAgent']}],`,
    replace: `      agentEnded: [{to: 'finishing', run: ['finish']}],
      stopRequested: [{to: 'exited', run: ['sealLog']}],`,
  },
  {
    id: 'cancel-rewrites-end',
    invariant: 2,
    bug: 'A cancel that comes after the end of a task changes that end.',
    file: 'worker/src/fleet/cancel.ts',
    find: `  if (row.finished_ms !== null) return row;`,
    replace: `  if (row.finished_ms !== null) return batch.change(row, {state: 'cancelled'});`,
  },
  {
    id: 'epoch-used-again',
    invariant: 3,
    bug: 'An offer that comes back gives its epoch back too.',
    file: 'worker/src/fleet/deadlines.ts',
    find: `{event: 'offerReturned', change: unpinned(context.sql, row), data: {detail}}`,
    replace: `{event: 'offerReturned', change: {...unpinned(context.sql, row), epoch: row.epoch - 1}, data: {detail}}`,
  },
  {
    id: 'envelope-of-another',
    invariant: 4,
    bug: 'A runner takes an envelope that was signed for another one.',
    file: 'runner/src/link/envelope-check.ts',
    find: `  if (aud !== runner) return 'it is for another runner';`,
    replace: ``,
  },
  {
    id: 'lease-too-long',
    invariant: 5,
    bug: 'The runner counts its lease five seconds too long: the grace hides it until a kill is slow.',
    file: 'runner/src/attempt/lease-rules.ts',
    find: `  const deadlineBootMs = echo + config.ttl_ms;
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) return;
  if (attempt.deadlineBootMs !== null`,
    replace: `  const deadlineBootMs = echo + config.ttl_ms + 5_000;
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) return;
  if (attempt.deadlineBootMs !== null`,
  },
  {
    id: 'overlap-stored-twice',
    invariant: 6,
    bug: 'The part of a log frame that is known already is stored again.',
    file: 'worker/src/tasklog/append.ts',
    find: `  const fresh = raw.subarray(verdict.skip);`,
    replace: `  const fresh = raw;`,
  },
  {
    id: 'no-hold-back',
    invariant: 7,
    bug: 'The redactor gives out the beginning of what may become a secret.',
    file: 'runner/src/logs/redactor.ts',
    find: `    let from = this.#base + this.#startOf(this.#buffer.length - 1, symbols);`,
    replace: `    let from = symbols < 0 ? 0 : end;`,
  },
  {
    id: 'one-slot-too-many',
    invariant: 8,
    bug: 'A runner without a free slot still gets an offer.',
    file: 'worker/src/fleet/dispatch.ts',
    find: `      freeSlots(runner.slots, memory.live.heldBy(runner.row.id), key.slotClass) > 0 &&`,
    replace: `      freeSlots(runner.slots, memory.live.heldBy(runner.row.id), key.slotClass) >= 0 &&`,
  },
  {
    id: 'avoided-for-ever',
    invariant: 9,
    bug: 'A runner that turned a task down is not asked for such tasks again for hours.',
    file: 'worker/src/fleet/deadlines.ts',
    find: `    memory.avoidance.add(row.lane, row.runner, nowMs + offer_ms);`,
    replace: `    memory.avoidance.add(row.lane, row.runner, nowMs + offer_ms * 1_000);`,
  },
  {
    id: 'exit-unanswered',
    invariant: 9,
    bug: 'An exit is taken, and its runner is told when it asks a second time.',
    file: 'worker/src/fleet/exit.ts',
    find: `  batch.send(from.runner, {t: 'exit_ack', ...of});`,
    replace: ``,
  },
  {
    id: 'never-cleaned',
    invariant: 10,
    bug: 'An attempt whose exit is in is forgotten without being cleaned up.',
    file: 'shared/src/machine/attempt-machine.ts',
    find: `      exitAcknowledged: [{to: 'fenced', run: ['clean']}],`,
    replace: `      exitAcknowledged: [{to: 'collected'}],`,
  },
  {
    id: 'reconnect-kills',
    invariant: 11,
    bug: 'A runner that comes back inside its lease is told to end what it holds.',
    file: 'shared/src/domain/verdict.ts',
    find: `  return item.phase === 'exited' || item.phase === 'reported' ? 'send_exit' : 'keep';`,
    replace: `  return item.phase === 'exited' || item.phase === 'reported' ? 'send_exit' : 'kill';`,
  },
  {
    id: 'key-not-kept',
    invariant: 12,
    bug: 'The idempotency key of a submission is not remembered.',
    file: 'worker/src/fleet/submitted-before.ts',
    find: `  memory.idempotencyKeys += 1;`,
    replace: `  if (memory.idempotencyKeys >= 0) return;`,
  },
  {
    id: 'cancel-in-memory',
    invariant: 13,
    bug: 'The wish to cancel a running task is kept in memory and not written.',
    file: 'worker/src/fleet/batch.ts',
    find: `    updateTasks(sql, this.#changed.values());`,
    replace: `    const kept = (row) => (row.state === 'cancelling' ? {...row, state: 'leased'} : row);
    updateTasks(sql, [...this.#changed.values()].map(({before, after}) => ({before, after: kept(after)})));`,
  },
];
