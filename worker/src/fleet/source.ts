import {agentOfLabel, loginLabel} from '@switchyard/shared/domain/labels.ts';
import {sources, type Source} from '@switchyard/shared/policy/budget.ts';
import type {Budget} from './budget-row.ts';
import type {LaneKey} from './lane.ts';
import type {Runner} from './runner-row.ts';
import type {SpendingBook} from './spending-book.ts';

/** Who pays for tasks of a lane on a runner: the plan of its owner where the agent works under the owner's login. */
export function sourceOf({requires}: Pick<LaneKey, 'requires'>, labels: ReadonlySet<string>): Source {
  const drivers = requires.map(agentOfLabel).filter(driver => driver !== undefined);
  return drivers.some(driver => labels.has(loginLabel(driver))) ? 'subscription' : 'api';
}

/** What keeps tasks of a lane from a runner: the budget of which nothing is left for them there. */
export function blockingOn(
  spending: SpendingBook,
  key: Pick<LaneKey, 'spender' | 'requires'>,
  nowMs: number,
): (runner: Pick<Runner, 'row' | 'labels'>) => Budget | undefined {
  if (!spending.hasBudgets) return () => undefined;
  const spent = spentSources(spending, key, nowMs);
  return ({row, labels}) => {
    const source = sourceOf(key, labels);
    return spent.get(source) ?? spending.blockingOn({...key.spender, source, runner: row.id}, nowMs);
  };
}

/** The sources that have nothing left for tasks of a lane, each with the budget that says so. */
function spentSources(
  spending: SpendingBook,
  {spender}: Pick<LaneKey, 'spender'>,
  nowMs: number,
): ReadonlyMap<Source, Budget> {
  if (!spending.hasSourceBudgets) return new Map();
  return new Map(
    sources.flatMap(source => {
      const blocking = spending.blocking({...spender, source}, nowMs);
      return blocking === undefined ? [] : [[source, blocking] as const];
    }),
  );
}
