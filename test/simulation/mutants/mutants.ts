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

export const mutants: readonly Mutant[] = [
  {
    id: 'deadline-from-receipt',
    invariant: 5,
    bug: 'The lease is counted from when the answer came, not from when the runner asked.',
    file: 'runner/src/attempt/lease-rules.ts',
    find: `  const deadlineBootMs = echo + config.ttl_ms;
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) return;
  if (attempt.deadlineBootMs !== null`,
    replace: `  const deadlineBootMs = turn.nowBootMs + config.ttl_ms;
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) return;
  if (attempt.deadlineBootMs !== null`,
  },
];
