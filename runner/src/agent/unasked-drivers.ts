import type {Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';

/** Their programs do what nobody knows before, and ask nobody. */
const unasked: ReadonlySet<string> = new Set(['exec']);

/**
 * Why a task does not run under a charter that refuses or escalates anything: its driver cannot be held to that, and the
 * policy of the machine does not let it work all the same.
 */
export function unaskedRefusal(
  {unasked_drivers: allowed}: {readonly unasked_drivers: readonly string[]},
  book: Rulebook | null,
  driver: string,
): string | undefined {
  if (!unasked.has(driver) || allowed.includes(driver)) return undefined;
  if (book === null || book.reject.length + book.escalate.length + book.unread.length === 0) return undefined;
  const line = `"unasked_drivers": ${JSON.stringify([...allowed, driver])}`;
  return `the charter of this machine refuses or escalates calls, and agents of the driver ${driver} ask nobody before a call: its owner can write ${line} in policy.json`;
}
