import type {TaskState} from '../machine/task-machine.ts';
import type {AttemptPhase} from '../protocol/attempt-message.ts';
import type {Verdict} from '../protocol/down.ts';

/** What the Fleet knows about the task of an item that a runner says it holds. */
export type Held = {
  readonly state: TaskState;
  readonly epoch: number;
  readonly runner: string | null;
  /** The exit of exactly this attempt, by this runner, was accepted. */
  readonly isExitAccepted: boolean;
};

/**
 * The answer of the server to one item of the inventory that a runner sends when it connects. Whatever is not provably
 * this runner's own current attempt is killed: an older or unknown epoch, another runner's, a task that has ended or is
 * not known.
 */
export function verdictOf(
  held: Held | undefined,
  item: {readonly epoch: number; readonly phase: AttemptPhase},
  runner: string,
): Verdict['verdict'] {
  if (held === undefined) return 'kill';
  if (held.isExitAccepted) return 'forget';
  if (held.epoch !== item.epoch || held.runner !== runner) return 'kill';
  // An offer that the runner accepted although its word was lost: the inventory repeats it.
  if (held.state === 'offered') return item.phase === 'accepted' ? 'keep' : 'kill';
  if (held.state !== 'leased' && held.state !== 'cancelling') return 'kill';
  return item.phase === 'exited' || item.phase === 'reported' ? 'send_exit' : 'keep';
}
