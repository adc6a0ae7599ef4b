import {startMs} from '../control-plane/fleet-object.ts';
import {keyOf} from '../kernel/fact.ts';
import type {Finding, Invariant} from './invariant.ts';
import {Wakefulness, type AgentFact} from './wakefulness.ts';

/** A second between two looks of the dead man, and the kill. */
const killMs = 1_900;

export const deadByDeadline: Invariant = {
  number: 5,
  name: 'deadByDeadline',
  sentence:
    'The lease of a machine ends a grace before that of the server, and its agent is dead by then, whatever the runner does.',
  watch: ({timeline, lease, hosts}) => {
    /** The latest time at which the server ever said that the lease of an attempt ends. */
    const expiresMs = new Map<string, number>();
    const killAtMs = new Map<string, number>();
    const agents = new Map<string, AgentFact>();
    const wakefulness = new Wakefulness();
    /** How wrong a clock of this world can be over one lease. */
    const driftMs = (machine: number): number =>
      lease.ttl_ms * Math.abs(1 / (hosts[machine]?.plan.clockRate ?? 1) - 1) + 10;
    return {
      on: {
        task: ({before, after}) => {
          const key = keyOf({task: after.id, epoch: after.epoch});
          if (after.expires_ms !== null && after.state !== 'offered')
            expiresMs.set(key, Math.max(expiresMs.get(key) ?? 0, after.expires_ms - startMs));
          if (before === undefined || before.expires_ms === null || after.expires_ms !== null) return undefined;
          if (before.state !== 'leased' && before.state !== 'cancelling') return undefined;
          // An exit may end it before its time; that its agent is dead by then is the first invariant's to find.
          if (startMs + timeline.nowMs <= before.expires_ms) return undefined;
          const lost = {task: before.id, epoch: before.epoch};
          const agent = agents.get(keyOf(lost));
          return agent !== undefined && wakefulness.isAwake(agent.machine, timeline.nowMs)
            ? `the server gave up ${keyOf(lost)}, whose agent lives on machine ${agent.machine}`
            : undefined;
        },
        deadline: fact => {
          const key = keyOf(fact);
          killAtMs.set(key, fact.killAtMs);
          const latest = expiresMs.get(key);
          // A lease that was never given has no end to compare with.
          if (latest === undefined) return undefined;
          const allowedMs = latest - lease.grace_ms + driftMs(fact.machine);
          return fact.endsAtMs > allowedMs
            ? `machine ${fact.machine} holds ${key} until ${fact.endsAtMs}, the server until ${latest} less the grace`
            : undefined;
        },
        'agent.started': fact => {
          agents.set(keyOf(fact), fact);
          return undefined;
        },
        'agent.ended': fact => {
          agents.delete(keyOf(fact));
          return undefined;
        },
        'machine.suspended': fact => wakefulness.suspended(fact),
        'machine.woke': fact => wakefulness.woke(fact, timeline.nowMs),
        'host.crashed': fact => wakefulness.crashed(fact),
      },
      look: (): Finding => {
        const {nowMs} = timeline;
        for (const [key, {machine}] of agents) {
          const dueMs = (killAtMs.get(key) ?? 0) + killMs;
          if (nowMs > dueMs && wakefulness.isAwake(machine, nowMs))
            return `the agent of ${key} lives on machine ${machine} ${nowMs - dueMs} ms after it should have been killed`;
        }
        return undefined;
      },
    };
  },
};
