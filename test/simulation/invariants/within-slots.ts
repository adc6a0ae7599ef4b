import type {TaskSeen} from '../kernel/fact.ts';
import type {Finding, Invariant} from './invariant.ts';

const isLive = ({state}: TaskSeen): boolean => state === 'offered' || state === 'leased' || state === 'cancelling';

type Settings = {readonly paused: boolean; readonly max_concurrent: number | null};

/** The last word of people on one thing. It holds once it is answered, until something else is asked. */
class Wish {
  holds: string | undefined;
  readonly #open = new Set<number>();
  /** Two were under way at once: nobody can know which came last. */
  #isMuddled = false;

  ask(ask: number): void {
    this.#isMuddled = this.#open.size > 0;
    this.#open.add(ask);
    this.holds = undefined;
  }

  answer(ask: number, state: string | undefined): void {
    if (!this.#open.delete(ask)) return;
    if (this.#open.size === 0 && !this.#isMuddled) this.holds = state;
  }
}

export const withinSlots: Invariant = {
  number: 8,
  name: 'withinSlots',
  sentence:
    'Offers and leases of a runner never pass the slots it states, nor those of a key its limit; who drains and who is paused gets no offer.',
  watch: ({fleet}) => {
    const slots = new Map<string, number>();
    const wishes = new Map<string, Wish>();
    const pool = new Wish();
    const wishOf = (runner: string): Wish => {
      const wish = wishes.get(runner) ?? new Wish();
      wishes.set(runner, wish);
      return wish;
    };
    const againstPool = (id: string, live: number): Finding => {
      if (pool.holds === undefined) return undefined;
      const {paused, max_concurrent: most} = JSON.parse(pool.holds) as Settings;
      if (paused) return `${id} was offered although the pool is paused`;
      return most !== null && live > most ? `${live} attempts, ${most} may be` : undefined;
    };
    const offered = ({runner, conc_key: key, id}: TaskSeen): Finding => {
      const live = [...fleet.rows.values()].filter(isLive);
      const held = live.filter(each => each.runner === runner).length;
      const stated = slots.get(runner ?? '') ?? 0;
      if (held > stated) return `${runner} has ${held} attempts for ${stated} slots since ${id} was offered to it`;
      const sharing = live.filter(each => each.conc_key === key).length;
      if (key !== null && sharing > Number(key.split('-')[1])) return `${sharing} tasks hold the key ${key}`;
      if (wishes.get(runner ?? '')?.holds !== undefined) return `${id} was offered to ${runner}, which drains`;
      return againstPool(id, live.length);
    };
    return {
      on: {
        'fleet.heardSlots': fact => {
          slots.set(fact.runner, fact.slots);
          return undefined;
        },
        'client.asked': ({ask, operation, key}) => {
          if (operation === 'drain' || operation === 'resume') wishOf(key).ask(ask);
          if (operation === 'pool') pool.ask(ask);
          return undefined;
        },
        'client.answered': ({ask, operation, key, ok, state}) => {
          if (operation === 'drain' || operation === 'resume')
            wishOf(key).answer(ask, ok && operation === 'drain' ? 'drain' : undefined);
          if (operation === 'pool') pool.answer(ask, ok ? state : undefined);
          return undefined;
        },
        task: ({before, after}) =>
          after.state === 'offered' && (before?.state !== 'offered' || before.epoch !== after.epoch)
            ? offered(after)
            : undefined,
      },
    };
  },
};
