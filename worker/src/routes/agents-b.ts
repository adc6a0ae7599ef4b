import * as contracts from '@switchyard/shared/api/agent-contracts.ts';
import {agentView, endedAgentStatus} from '@switchyard/shared/api/agent-view.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import type {Access} from '../http/caller.ts';
import type {Installation} from '../http/installation.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {logRows} from './agent-log-rows.ts';
import {healthOf} from './health.ts';
import {logForm} from './log-form.ts';
import {followAsEvents, jsonPage, pageBytesMax, pageOf} from './task-log.ts';

/** The reading half of the older orchestration API: its agents are views of attempts. */
export function mountAgents(api: Api): void {
  const {installation} = api;

  mount(
    api,
    contracts.listAgents,
  )(async ({fleet, caller, query}) => {
    const {agents, next} = unwrap(await fleet.listAgents(caller, query));
    return {status: 200, body: {agents: agents.map(({id, attempt}) => agentView(id, attempt)), next}};
  });

  // Before `:id`, which would take its name for an id.
  mount(
    api,
    contracts.listActiveAgents,
  )(async ({fleet, caller}) => {
    const {agents} = unwrap(await fleet.activeAgents(caller));
    return {status: 200, body: {agents: [...agents]}};
  });

  mount(
    api,
    contracts.getAgent,
  )(async ({fleet, caller, params}) => {
    const {id, attempt} = unwrap(await fleet.getAgent(caller, params.id));
    return {status: 200, body: agentView(id, attempt)};
  });

  mount(
    api,
    contracts.getAgentLogs,
  )(async ({fleet, caller, pool, params, query, header}) => {
    const {id, attempt} = unwrap(await fleet.getAgent(caller, params.id));
    const {epoch} = attempt;
    const task = taskIdSchema.parse(attempt.task);
    const isLive = logForm(header('accept') ?? '') === 'events';
    const access = unwrap(await fleet.logAccess(caller, {task, epoch, live: isLive}));
    const log = installation.taskLog(pool, task);
    const {after: from, format} = query;
    if (isLive)
      return followAsEvents(log, {
        access,
        from,
        epoch,
        lastEventId: header('last-event-id'),
        endData: ({state}) => ({status: endedAgentStatus(state)}),
      });
    const isOver = access.ended !== null;
    if (format === 'rows') {
      const stored = await log.readChunks({from, epoch, bytesMax: pageBytesMax});
      return {status: 200, body: logRows(id, {...stored, from, isOver})};
    }
    const page = await pageOf(log, access, {from, epoch, bytesMax: pageBytesMax});
    const {text, to, length} = jsonPage({...page, sealed: isOver});
    return {status: 200, body: {logs: text, from, to, length, complete: isOver && to >= length}};
  });

  mount(api, contracts.getServiceHealth)(async access => poolHealth(access, installation));
}

/** Tells those who have a token of the pool; a pool that does not answer cannot settle who asks, and tells nobody else. */
async function poolHealth({pool, fleet, caller}: Access, installation: Installation) {
  const health = await healthOf(installation, pool);
  if (health.body.checks['fleet']?.ok === true) unwrap(await fleet.getPool(caller));
  return health;
}
