import {keyOf} from '../kernel/fact.ts';
import type {Invariant} from './invariant.ts';

export const startsOnGo: Invariant = {
  number: 4,
  name: 'startsOnGo',
  sentence:
    'A runner accepts only what was signed for it, and starts only on go, for an epoch above all that it started, once.',
  watch: ({hosts}) => {
    const signed = new Set<string>();
    const released = new Set<string>();
    const started = new Set<string>();
    const newest = new Map<string, number>();
    return {
      on: {
        'fleet.sent': ({runner, message}) => {
          if (message.t === 'offer') signed.add(`${runner} ${keyOf(message)}`);
          return undefined;
        },
        'runner.said': ({machine, message}) => {
          if (message.t !== 'accept') return undefined;
          const runner = hosts[machine]?.runner ?? '';
          return signed.has(`${runner} ${keyOf(message)}`)
            ? undefined
            : `machine ${machine} accepted ${keyOf(message)}, which nobody signed for it`;
        },
        'runner.heard': ({machine, message}) => {
          if (message.t === 'go') released.add(`${machine} ${keyOf(message)}`);
          return undefined;
        },
        'agent.started': fact => {
          const {machine, task, epoch} = fact;
          const key = keyOf(fact);
          if (started.has(key)) return `${key} was started a second time, on machine ${machine}`;
          started.add(key);
          if (!released.has(`${machine} ${key}`)) return `machine ${machine} started ${key} without a go`;
          const place = `${machine} ${task}`;
          const before = newest.get(place) ?? 0;
          newest.set(place, epoch);
          return epoch > before ? undefined : `machine ${machine} started ${key} after e${before}`;
        },
      },
    };
  },
};
