import {keyOf} from '../kernel/fact.ts';
import type {Invariant} from './invariant.ts';

export const epochRises: Invariant = {
  number: 3,
  name: 'epochRises',
  sentence: 'The epoch of a task only rises, belongs to one runner, and no message of a lower one changes anything.',
  watch: () => {
    const offered = new Map<string, string>();
    const highest = new Map<string, number>();
    return {
      on: {
        task: ({before, after}) =>
          before !== undefined && after.epoch < before.epoch
            ? `the epoch of ${after.id} fell from ${before.epoch} to ${after.epoch}`
            : undefined,
        'fleet.took': ({kind, task, epoch, rowEpoch, changed}) =>
          epoch < rowEpoch && changed ? `${kind} of e${epoch} changed ${task}, which was at e${rowEpoch}` : undefined,
        'fleet.sent': ({runner, message}) => {
          if (message.t !== 'offer') return undefined;
          const key = keyOf(message);
          const owner = offered.get(key) ?? runner;
          offered.set(key, owner);
          if (owner !== runner) return `${key} was offered to ${owner} and to ${runner}`;
          const before = highest.get(message.task) ?? 0;
          if (message.epoch < before) return `${key} was offered after e${before}`;
          highest.set(message.task, message.epoch);
          return undefined;
        },
      },
    };
  },
};
