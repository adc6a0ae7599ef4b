import {timeoutMsOf} from '@switchyard/shared/domain/role-defaults.ts';
import {dispatchedSpecSchema, dispatchSchema} from '@switchyard/shared/protocol/envelope.ts';
import {startMs} from '../control-plane/fleet-object.ts';
import {verified} from '../control-plane/proof.ts';
import {keyOf} from '../kernel/fact.ts';
import type {Invariant} from './invariant.ts';

export const reconnectKeeps: Invariant = {
  number: 11,
  name: 'reconnectKeeps',
  sentence:
    'A lease is lost only when its time has passed, and a reconnect inside that time ends and restarts nothing whose own time is left.',
  watch: ({timeline, fleet, hosts, lease}) => {
    const killAtMs = new Map<string, number>();
    const expiresMs = new Map<string, number>();
    const envelopes = new Map<string, string>();
    const goMs = new Map<string, number>();
    /**
     * A runner looks at its clock before anything else, so a task whose own time is over may be stopped in the turn of a
     * welcome. That time is counted from the start of the agent, which is never before the first `go`.
     */
    const ownEndMs = (machine: number, key: string): number => {
      const dispatch = verified(envelopes.get(key) ?? '', dispatchSchema);
      const begunMs = goMs.get(`${machine} ${key}`);
      if (dispatch === undefined || begunMs === undefined) return Infinity;
      const timeoutMs = timeoutMsOf(dispatchedSpecSchema.parse(JSON.parse(dispatch.spec)));
      return begunMs + timeoutMs / (hosts[machine]?.plan.clockRate ?? 1);
    };
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
        'fleet.sent': ({message}) => {
          if (message.t === 'offer') envelopes.set(keyOf(message), message.envelope);
          return undefined;
        },
        'runner.heard': ({machine, message}) => {
          const place = message.t === 'go' ? `${machine} ${keyOf(message)}` : undefined;
          if (place !== undefined && !goMs.has(place)) goMs.set(place, timeline.nowMs);
          return undefined;
        },
        'runner.decided': ({machine, message, killed}) => {
          if (message.t !== 'welcome') return undefined;
          const host = hosts[machine];
          const wrong = killed.find(key => {
            const [task = '', epoch = ''] = key.split('/e');
            const row = fleet.rows.get(task);
            const isHeld = row?.state === 'leased' && row.epoch === Number(epoch) && row.runner === host?.runner;
            const softAtMs = (killAtMs.get(`${machine} ${key}`) ?? 0) + lease.hard_kill_ms - lease.soft_stop_ms;
            const isInTime = timeline.nowMs < Math.min(softAtMs - lease.hard_kill_ms, ownEndMs(machine, key));
            return isHeld && isInTime;
          });
          return wrong === undefined
            ? undefined
            : `machine ${machine} ended ${wrong} upon its reconnect, although its lease stands`;
        },
      },
    };
  },
};
