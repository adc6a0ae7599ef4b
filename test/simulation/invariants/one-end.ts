import {finishedTaskStates, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {keyOf} from '../kernel/fact.ts';
import type {Invariant} from './invariant.ts';

export const oneEnd: Invariant = {
  number: 2,
  name: 'oneEnd',
  sentence: 'One exit is accepted for an attempt and one end for a task, and an end never changes.',
  watch: () => {
    const ended = new Set<string>();
    const isOver = (state: string): boolean => finishedTaskStates.has(state as TaskState);
    return {
      on: {
        task: ({before, after}) =>
          before !== undefined && isOver(before.state) && (after.state !== before.state || after.epoch !== before.epoch)
            ? `${after.id} had ended as ${before.state} and is ${after.state} e${after.epoch}`
            : undefined,
        history: fact => {
          const key = keyOf(fact);
          if (ended.has(key)) return `${key} ended a second time, as ${fact.outcome}`;
          ended.add(key);
          return undefined;
        },
      },
    };
  },
};
