import {attemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, type RandomBytes} from '@switchyard/shared/domain/id.ts';
import initial from '../../../migrations/fleet/0001_initial.sql';
import agent from '../../../migrations/fleet/0002_agent.sql';
import runnerKey from '../../../migrations/fleet/0003_runner_key.sql';
import heldTasks from '../../../migrations/fleet/0004_held_tasks.sql';
import approval from '../../../migrations/fleet/0005_approval.sql';
import budget from '../../../migrations/fleet/0006_budget.sql';
import runnerProtocol from '../../../migrations/fleet/0007_runner_protocol.sql';
import subtask from '../../../migrations/fleet/0008_subtask.sql';
import role from '../../../migrations/fleet/0009_role.sql';
import budgetAsk from '../../../migrations/fleet/0010_budget_ask.sql';
import source from '../../../migrations/fleet/0011_source.sql';
import successor from '../../../migrations/fleet/0012_successor.sql';
import subtaskEnd from '../../../migrations/fleet/0013_subtask_end.sql';
import purse from '../../../migrations/fleet/0014_purse.sql';
import charterBudget from '../../../migrations/fleet/0015_charter_budget.sql';
import interrupt from '../../../migrations/fleet/0016_interrupt.sql';
import granted from '../../../migrations/fleet/0017_granted.sql';
import {deliverToDirectory} from '../db/directory.ts';
import type {Environment} from '../environment.ts';
import {installationSecret, signingJwks} from '../installation-secrets.ts';
import {leaseConfig} from '../lease-config.ts';
import {fleetName, taskLogName} from '../tasklog/task-log-rpc.ts';
import {upChecker} from './check-up.ts';
import {durableObjectSql} from './durable-object-sql.ts';
import {FleetCore, type Executed} from './fleet-core.ts';

import {GroupCommit} from './group-commit.ts';
import {Housekeeping} from './housekeeping.ts';
import {Link} from './link.ts';
import {Outbox} from './outbox.ts';
import {PollLink} from './poll.ts';
import {RunnerSockets} from './runner-sockets.ts';
import {sealDrafts} from './sealer.ts';
import type {Service} from './service.ts';
import {WakeUp} from './wake-up.ts';

export const migrations = [
  {name: '0001_initial', statements: initial},
  {name: '0002_agent', statements: agent},
  {name: '0003_runner_key', statements: runnerKey},
  {name: '0004_held_tasks', statements: heldTasks},
  {name: '0005_approval', statements: approval},
  {name: '0006_budget', statements: budget},
  {name: '0007_runner_protocol', statements: runnerProtocol},
  {name: '0008_subtask', statements: subtask},
  {name: '0009_role', statements: role},
  {name: '0010_budget_ask', statements: budgetAsk},
  {name: '0011_source', statements: source},
  {name: '0012_successor', statements: successor},
  {name: '0013_subtask_end', statements: subtaskEnd},
  {name: '0014_purse', statements: purse},
  {name: '0015_charter_budget', statements: charterBudget},
  {name: '0016_interrupt', statements: interrupt},
  {name: '0017_granted', statements: granted},
];

/** Time and chance of the platform. */
export type Ambient = {
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly wait: (ms: number) => Promise<void>;
};

export type Assembly = {
  readonly service: Service;
  readonly link: Link;
  readonly poll: PollLink;
  readonly housekeeping: Housekeeping;
};

/** Puts the Fleet of one pool together: the only place that knows all of its parts. */
export async function assemble(
  state: DurableObjectState,
  environment: Environment,
  ambient: Ambient,
): Promise<Assembly> {
  const pool = poolOf(state.id);
  const sql = durableObjectSql(state.storage);
  const configs = {standard: leaseConfig(environment, 'standard'), patient: leaseConfig(environment, 'patient')};
  const seals = await attemptSeal(installationSecret(environment));
  const signingKey = await importSigningKey(signingJwks(environment)[0]);
  const core = new FleetCore({...ambient, pool, sql, leaseConfig: leaseClass => configs[leaseClass], migrations});
  const deliver = (executed: Executed): void => {
    link.deliver(executed);
    poll.deliver(executed);
    housekeeping.afterBatch(executed);
  };
  const commit = new GroupCommit({
    execute: works => core.execute(works),
    sync: async () => state.storage.sync(),
    letIn: async ms => ambient.wait(ms),
    deliver,
  });
  const freshSpec = (task: string): string | undefined => core.memory.freshSpecs.take(task);
  const seal: Parameters<typeof bindSeal>[0] = {pool, sql, freshSpec, signingKey, attemptSeal: seals, ...ambient};
  const sockets = new RunnerSockets(state);
  const link = new Link({core, commit, sockets, check: upChecker(seals), seal: bindSeal(seal), ...ambient});
  const poll = new PollLink({core, commit, link, seal: bindSeal(seal), ...ambient});
  const outbox = new Outbox({sql, nowMs: ambient.nowMs, targets: targetsOf(environment, pool)});
  const wakeUp = new WakeUp(state.storage, await state.storage.getAlarm());
  const keep = (work: Promise<void>): void => state.waitUntil(work);
  const housekeeping = new Housekeeping({core, commit, sockets, outbox, wakeUp, keep, nowMs: ambient.nowMs});
  return {service: {core, commit, randomBytes: ambient.randomBytes}, link, poll, housekeeping};
}

function bindSeal(parts: Parameters<typeof sealDrafts>[0]) {
  return async (runner: string, drafts: Parameters<typeof sealDrafts>[2]): ReturnType<typeof sealDrafts> =>
    sealDrafts(parts, runner, drafts);
}

function targetsOf(environment: Environment, pool: string): ConstructorParameters<typeof Outbox>[0]['targets'] {
  const {TASK_LOG, DB} = environment;
  return {
    deliverToDirectory: async rows => deliverToDirectory(DB, rows),
    tellLog: async row => {
      const log = TASK_LOG.get(TASK_LOG.idFromName(taskLogName(pool, row.task)));
      if (row.kind === 'log.fence') await log.fence(row.epoch);
      else if (row.kind === 'log.seal') await log.sealEmpty(row.epoch, row.runner);
      else await ('epoch' in row ? log.finishAttempt(row.epoch, row.state) : log.finish(row.state));
    },
  };
}

/** The object is named after its pool, and after nothing else. */
function poolOf({name}: DurableObjectId): string {
  const prefix = fleetName('');
  const pool = poolSchema.safeParse(name?.startsWith(prefix) === true ? name.slice(prefix.length) : undefined);
  if (!pool.success) throw new SwitchyardError('configuration_invalid', `a Fleet is not named ${name ?? 'at all'}`);
  return pool.data;
}
