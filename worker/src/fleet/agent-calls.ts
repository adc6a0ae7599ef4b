import {agentId, type AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptNamed, giveAgentId, knownAgentIds, refKey} from './agent-names.ts';
import {activeAttempts, pageOfAttempts} from './attempt-lists.ts';
import {attemptRecord, liveRecord} from './attempt-records.ts';
import type {AgentListQuery, Caller, NamedAttempt, Outcome} from './fleet-rpc.ts';
import {permit} from './permission.ts';
import {outcomeOf, type Service} from './service.ts';
import type {Sight} from './views.ts';

/** Attempts as the agents of the older API. Reads; an attempt that is shown for the first time is given its id. */

export function listAgents(
  service: Service,
  caller: Caller,
  query: AgentListQuery,
): Promise<Outcome<{readonly agents: readonly NamedAttempt[]; readonly next: string | null}>> {
  return outcomeOf(async () => {
    const {attempts, next} = pageOfAttempts(sightFor(service, caller), query);
    return {agents: await named(service, attempts), next};
  });
}

export function activeAgents(service: Service, caller: Caller): Promise<Outcome<{readonly agents: readonly string[]}>> {
  return outcomeOf(async () => {
    const agents = await named(service, activeAttempts(sightFor(service, caller)));
    return {agents: agents.map(({id}) => id)};
  });
}

export function getAgent(service: Service, caller: Caller, id: string): Promise<Outcome<NamedAttempt>> {
  return outcomeOf(async () => {
    const attempt = attemptOf(sightFor(service, caller), id);
    const [agent] = attempt === undefined ? [] : await named(service, [attempt]);
    if (agent?.id !== id) throw new SwitchyardError('not_found', 'there is no agent of this id');
    return agent;
  });
}

function sightFor({core}: Service, caller: Caller): Sight {
  permit(core.memory, caller, 'read');
  return core.sight();
}

/** An agent knows its own id from task and epoch: it is found although nobody was shown it. */
function attemptOf(sight: Sight, id: string): AttemptRecord | undefined {
  const {sql, memory} = sight;
  const ref = attemptNamed(sql, id);
  if (ref !== undefined) return attemptRecord(sight, ref);
  for (const row of memory.live.all())
    if (agentId({task: row.id, epoch: row.epoch, agentType: row.agent_type}, 0) === id) return liveRecord(sql, row);
  return undefined;
}

async function named(service: Service, attempts: readonly AttemptRecord[]): Promise<readonly NamedAttempt[]> {
  const {core, commit} = service;
  const known = knownAgentIds(core.parts.sql, attempts);
  const nameless = attempts.filter(attempt => !known.has(refKey(attempt)));
  if (nameless.length > 0) {
    const given = await commit.run(({context: {sql}}) => {
      const ids = nameless.map(attempt => [refKey(attempt), giveAgentId(sql, attempt)] as const);
      return () => ids;
    });
    for (const [key, id] of given) known.set(key, id);
  }
  return attempts.flatMap(attempt => {
    const id = known.get(refKey(attempt));
    return id === undefined ? [] : [{id, attempt}];
  });
}
