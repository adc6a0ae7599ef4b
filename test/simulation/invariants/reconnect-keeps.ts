import {startMs} from '../control-plane/fleet-object.ts';
import {keyOf} from '../kernel/fact.ts';
import type {Invariant} from './invariant.ts';

export const reconnectKeeps: Invariant = {
  number: 11,
  name: 'reconnectKeeps',
  sentence:
    'A lease is lost only when its time has passed, and a reconnect inside that time ends and restarts nothing.',
  watch: ({timeline, fleet, hosts, lease}) => {
    const killAtMs = new Map<string, number>();
    const expiresMs = new Map<string, number>();
    return {
      on: {
        deadline: fact => {
          killAtMs.set(`${fact.machine} ${keyOf(fact)}`, fact.killAtMs);
          return undefined;
        },
        task: ({after}) => {
          if (after.expires_ms !== null && after.state !== 'offered')
            expiresMs.set(keyOf({task: after.id, epoch: after.epoch}), after.expires_ms - startMs);
          return undefined;
        },
        history: fact => {
          const untilMs = expiresMs.get(keyOf(fact)) ?? 0;
          return fact.outcome === 'lease_lost' && fact.endedAtMs <= untilMs
            ? `the lease of ${keyOf(fact)} was taken back at ${fact.endedAtMs}, it ran until ${untilMs}`
            : undefined;
        },
        'runner.decided': ({machine, message, killed}) => {
          if (message.t !== 'welcome') return undefined;
          const host = hosts[machine];
          const wrong = killed.find(key => {
            const [task = '', epoch = ''] = key.split('/e');
            const row = fleet.rows.get(task);
            const isHeld = row?.state === 'leased' && row.epoch === Number(epoch) && row.runner === host?.runner;
            const softAtMs = (killAtMs.get(`${machine} ${key}`) ?? 0) + lease.hard_kill_ms - lease.soft_stop_ms;
            return isHeld && timeline.nowMs < softAtMs - lease.hard_kill_ms;
          });
          return wrong === undefined
            ? undefined
            : `machine ${machine} ended ${wrong} upon its reconnect, although its lease stands`;
        },
      },
    };
  },
};
