import type {Finding, Invariant} from './invariant.ts';
import {Wakefulness, type AgentFact} from './wakefulness.ts';

export const oneAgent: Invariant = {
  number: 1,
  name: 'oneAgent',
  sentence: 'At most one process tree works on a task at any real instant, on machines that are awake.',
  watch: ({timeline}) => {
    const live = new Map<string, AgentFact[]>();
    const doubled = new Set<string>();
    const wakefulness = new Wakefulness();
    return {
      on: {
        'agent.started': fact => {
          const own = live.get(fact.task) ?? [];
          live.set(fact.task, own);
          const neighbour = own.find(({machine}) => machine === fact.machine);
          own.push(fact);
          if (own.length > 1) doubled.add(fact.task);
          // Whoever starts one has looked at the clock, and at what else it holds.
          return neighbour === undefined
            ? undefined
            : `machine ${fact.machine} started e${fact.epoch} of ${fact.task} beside e${neighbour.epoch}`;
        },
        'agent.ended': fact => {
          const left = (live.get(fact.task) ?? []).filter(({pid}) => pid !== fact.pid);
          live.set(fact.task, left);
          if (left.length < 2) doubled.delete(fact.task);
          return undefined;
        },
        'machine.suspended': fact => wakefulness.suspended(fact),
        'machine.woke': fact => wakefulness.woke(fact, timeline.nowMs),
        'host.crashed': fact => wakefulness.crashed(fact),
      },
      look: (): Finding => {
        for (const task of doubled) {
          const awake = (live.get(task) ?? []).filter(({machine}) => wakefulness.isAwake(machine, timeline.nowMs));
          if (awake.length > 1)
            return `${task} has agents ${awake.map(({machine, epoch, pid}) => `e${epoch} on machine ${machine} (${pid})`).join(' and ')}`;
        }
        return undefined;
      },
    };
  },
};
