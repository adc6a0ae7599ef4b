import {keyOf, type AttemptOf} from '../kernel/fact.ts';
import type {Finding, Invariant} from './invariant.ts';

/** What `gone` gives a zombie. */
const zombieMs = 2_000;

export const nothingLeft: Invariant = {
  number: 10,
  name: 'nothingLeft',
  sentence:
    'What was collected left no process and no file, and a zombie that is told gone is dead within two seconds.',
  watch: ({timeline, hosts}) => {
    const condemned = new Map<string, {readonly machine: number; readonly key: string; readonly byMs: number}>();
    const condemn = (machine: number, of: AttemptOf): void => {
      const host = hosts[machine];
      const key = keyOf(of);
      // A disk that is slow or full keeps the runner from deciding at all.
      if (
        host === undefined ||
        host.machine.disk.isFull ||
        host.machine.disk.slowMs > 0 ||
        !host.machine.agents.has(key)
      )
        return;
      const known = condemned.get(`${machine} ${key}`);
      condemned.set(`${machine} ${key}`, known ?? {machine, key, byMs: timeline.nowMs + zombieMs});
    };
    const spare = (machine: number): undefined => {
      for (const [at, each] of condemned) if (each.machine === machine) condemned.delete(at);
    };
    return {
      on: {
        'runner.heard': ({machine, message}) => {
          if (message.t === 'gone') condemn(machine, message);
          if (message.t === 'welcome')
            for (const verdict of message.verdicts) if (verdict.verdict === 'kill') condemn(machine, verdict);
          return undefined;
        },
        'agent.ended': fact => {
          condemned.delete(`${fact.machine} ${keyOf(fact)}`);
          return undefined;
        },
        'runner.ended': ({machine}) => spare(machine),
        'runner.revoked': ({machine}) => {
          for (const {directory} of hosts[machine]?.machine.agents.values() ?? []) condemn(machine, directory);
          return undefined;
        },
        'machine.suspended': ({machine}) => spare(machine),
        collected: fact =>
          hosts[fact.machine]?.machine.agents.has(keyOf(fact)) === true
            ? `${keyOf(fact)} was collected on machine ${fact.machine} and its agent lives`
            : undefined,
        rest: (): Finding => {
          const left = hosts.flatMap(({machine}) => [
            ...[...machine.agents.keys()].map(key => `agent ${key}`),
            ...[...machine.disk.directories.keys()].map(key => `directory ${key}`),
            ...(machine.disk.journaled > 0 ? [`${machine.disk.journaled} journal rows`] : []),
          ]);
          return left.length === 0 ? undefined : `at rest there is still ${left.join(', ')}`;
        },
      },
      look: (): Finding => {
        for (const {machine, key, byMs} of condemned.values())
          if (timeline.nowMs > byMs && hosts[machine]?.machine.disk.slowMs === 0)
            return `machine ${machine} was told that ${key} is gone, and its agent lives ${timeline.nowMs - byMs} ms too long`;
        return undefined;
      },
    };
  },
};
