import type {TaskSpec} from './task-spec.ts';

/** Stated capacity: most attempts at once per class; `default` serves every class that is not named. */
export type Slots = Readonly<Record<string, number>>;

/** The class of slot that an attempt takes at its runner: slots are counted per executor. */
export function slotClass(spec: Pick<TaskSpec, 'executor'>): string {
  return spec.executor;
}

/** How many more attempts of a class the runner takes, given how many of each class it holds. Never negative. */
export function freeSlots(slots: Slots, held: ReadonlyMap<string, number>, ofClass: string): number {
  const named = slots[ofClass];
  if (named !== undefined && ofClass !== 'default') return Math.max(0, named - (held.get(ofClass) ?? 0));
  let heldThere = 0;
  for (const [name, count] of held) if (name === 'default' || slots[name] === undefined) heldThere += count;
  return Math.max(0, (slots['default'] ?? 0) - heldThere);
}

export function slotsTotal(slots: Slots): number {
  return Object.values(slots).reduce((total, count) => total + count, 0);
}
