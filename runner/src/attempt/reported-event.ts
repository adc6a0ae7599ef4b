import type {LinkUp} from '../link/link.ts';
import type {Attempt} from './attempt-state.ts';

/** Largest data of one agent event; the log holds the whole. */
const eventBytesMax = 16_384;

/** What the control plane is told of an event of an agent. */
export function reportedEvent(
  {task, epoch}: Pick<Attempt, 'task' | 'epoch'>,
  {seq, kind, data}: {readonly seq: number; readonly kind: string; readonly data: unknown},
): LinkUp {
  const json = JSON.stringify(data) ?? 'null';
  const bounded: unknown = json.length > eventBytesMax ? {truncated: true, length: json.length} : JSON.parse(json);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON.parse answers is JSON
  return {t: 'event', task, epoch, seq, kind, data: bounded as null};
}

export const eventsUnsentMax = 1_000;

/**
 * Keeps an event for the next session, and only the newest ones: a process that starts over hears again all that its
 * agents said, and told most of it before. The log holds everything.
 */
export function keepUnsent(unsent: LinkUp[], event: LinkUp): void {
  if (unsent.length >= eventsUnsentMax) unsent.shift();
  unsent.push(event);
}
