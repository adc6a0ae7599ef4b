import type {Invariant} from './invariant.ts';

export const askedOnce: Invariant = {
  number: 12,
  name: 'askedOnce',
  sentence: 'One idempotency key gives one task, however often it is sent, and every answer names the same one.',
  watch: () => {
    const answered = new Map<string, string>();
    const created = new Map<string, number>();
    const allowed = new Map<string, number>();
    const titles = new Map<string, string>();
    return {
      on: {
        'client.asked': ({operation, key}) => {
          // What is said to a task that has ended makes one that goes on from it, under these words.
          const told = operation === 'message' ? 'go on' : undefined;
          const title = operation === 'submit' ? key : operation === 'retry' ? titles.get(key) : told;
          if (title !== undefined) allowed.set(title, (allowed.get(title) ?? 0) + 1);
          return undefined;
        },
        'client.answered': ({operation, key, ok, ids}) => {
          if (operation !== 'submit' || !ok) return undefined;
          const first = answered.get(key) ?? ids.join();
          answered.set(key, first);
          return first === ids.join() ? undefined : `the key ${key} was answered with ${first} and with ${ids.join()}`;
        },
        task: ({before, after}) => {
          if (before !== undefined) return undefined;
          titles.set(after.id, after.title);
          const count = (created.get(after.title) ?? 0) + 1;
          created.set(after.title, count);
          return count > (allowed.get(after.title) ?? 0) ? `the key ${after.title} made ${count} tasks` : undefined;
        },
      },
    };
  },
};
