import {DurableObject} from 'cloudflare:workers';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import type {Environment} from '../environment.ts';
import * as agents from './agent-calls.ts';
import * as approvals from './approval-calls.ts';
import * as budgets from './budget-calls.ts';
import {assemble, type Assembly} from './assembly.ts';
import {runnerHeader, runnerKeyHeader, type FleetRpc} from './fleet-rpc.ts';
import * as pool from './pool-calls.ts';
import {probe} from './probe.ts';
import * as runners from './runner-calls.ts';
import {outcomeOf, type Service} from './service.ts';
import {submissionFrom, submittedText} from './submission-text.ts';
import * as tasks from './task-calls.ts';

type Args<Method extends keyof FleetRpc> = Parameters<FleetRpc[Method]>;
type Answer<Method extends keyof FleetRpc> = ReturnType<FleetRpc[Method]>;

/** The queue, the leases and the runners' sockets of one pool. A shell: what happens is decided in the core. */
export class Fleet extends DurableObject<Environment> implements FleetRpc {
  #assembly: Assembly | undefined;

  constructor(ctx: DurableObjectState, environment: Environment) {
    super(ctx, environment);
    void ctx.blockConcurrencyWhile(async () => {
      this.#assembly = await assemble(ctx, environment, {
        nowMs: () => Date.now(),
        random: () => Math.random(),
        randomBytes: length => crypto.getRandomValues(new Uint8Array(length)),
        wait: async ms => scheduler.wait(ms),
      });
      await this.#assembly.housekeeping.start();
    });
  }

  override async fetch(request: Request): Promise<Response> {
    const runner = request.headers.get(runnerHeader);
    const x = request.headers.get(runnerKeyHeader);
    if (request.headers.get('upgrade') !== 'websocket' || runner === null || x === null)
      return new Response(null, {status: 400});
    const {0: client, 1: server} = new WebSocketPair();
    this.#parts.link.open(server, {runner, x});
    await this.#parts.housekeeping.opened();
    const headers = {'sec-websocket-protocol': RUNNER_SUBPROTOCOL};
    return new Response(null, {status: 101, webSocket: client, headers});
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await this.#parts.link.receive(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    await this.#parts.link.closed(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#parts.link.closed(socket);
  }

  override async alarm(): Promise<void> {
    await this.#parts.housekeeping.alarm();
  }

  async submit(...[caller, submission]: Args<'submit'>): Answer<'submit'> {
    return submittedText(await tasks.submitTasks(this.#service, caller, submissionFrom(submission)));
  }
  async getTask(...args: Args<'getTask'>): Answer<'getTask'> {
    return tasks.readTask(this.#service, ...args);
  }
  async taskByAlias(...args: Args<'taskByAlias'>): Answer<'taskByAlias'> {
    return tasks.readTaskByAlias(this.#service, ...args);
  }
  async listTasks(...args: Args<'listTasks'>): Answer<'listTasks'> {
    return tasks.listTasks(this.#service, ...args);
  }
  async listEvents(...args: Args<'listEvents'>): Answer<'listEvents'> {
    return tasks.listEvents(this.#service, ...args);
  }
  async cancel(...args: Args<'cancel'>): Answer<'cancel'> {
    return tasks.cancel(this.#service, ...args);
  }
  async retry(...args: Args<'retry'>): Answer<'retry'> {
    return tasks.retry(this.#service, ...args);
  }
  async message(...args: Args<'message'>): Answer<'message'> {
    return tasks.message(this.#service, ...args);
  }
  async logAccess(...args: Args<'logAccess'>): Answer<'logAccess'> {
    return tasks.logAccess(this.#service, ...args);
  }
  async listAgents(...args: Args<'listAgents'>): Answer<'listAgents'> {
    return agents.listAgents(this.#service, ...args);
  }
  async activeAgents(...args: Args<'activeAgents'>): Answer<'activeAgents'> {
    return agents.activeAgents(this.#service, ...args);
  }
  async getAgent(...args: Args<'getAgent'>): Answer<'getAgent'> {
    return agents.getAgent(this.#service, ...args);
  }
  async listApprovals(...args: Args<'listApprovals'>): Answer<'listApprovals'> {
    return approvals.listApprovals(this.#service, ...args);
  }
  async getApproval(...args: Args<'getApproval'>): Answer<'getApproval'> {
    return approvals.getApproval(this.#service, ...args);
  }
  async decideApproval(...args: Args<'decideApproval'>): Answer<'decideApproval'> {
    return approvals.decideApproval(this.#service, ...args);
  }
  async listRunners(...args: Args<'listRunners'>): Answer<'listRunners'> {
    return runners.listRunners(this.#service, ...args);
  }
  async createEnrolment(...args: Args<'createEnrolment'>): Answer<'createEnrolment'> {
    return runners.createEnrolment(this.#service, ...args);
  }
  async enrol(...args: Args<'enrol'>): Answer<'enrol'> {
    return runners.enrol(this.#service, ...args);
  }
  async setRunner(...args: Args<'setRunner'>): Answer<'setRunner'> {
    return runners.setRunner(this.#service, ...args);
  }
  async rotateKey(...args: Args<'rotateKey'>): Answer<'rotateKey'> {
    return runners.replaceKey(this.#service, ...args);
  }
  async poll(...[runner, exchange]: Args<'poll'>): Answer<'poll'> {
    return outcomeOf(async () => ({frame: await this.#parts.poll.exchange(runner, exchange)}));
  }
  async getPool(...args: Args<'getPool'>): Answer<'getPool'> {
    return pool.getPool(this.#service, ...args);
  }
  async listBudgets(...args: Args<'listBudgets'>): Answer<'listBudgets'> {
    return budgets.listBudgets(this.#service, ...args);
  }
  async putBudget(...args: Args<'putBudget'>): Answer<'putBudget'> {
    return budgets.putBudget(this.#service, ...args);
  }
  async grantBudget(...args: Args<'grantBudget'>): Answer<'grantBudget'> {
    return budgets.grantBudget(this.#service, ...args);
  }
  async overrideBudget(...args: Args<'overrideBudget'>): Answer<'overrideBudget'> {
    return budgets.overrideBudget(this.#service, ...args);
  }
  async deleteBudget(...args: Args<'deleteBudget'>): Answer<'deleteBudget'> {
    return budgets.deleteBudget(this.#service, ...args);
  }
  async listCosts(...args: Args<'listCosts'>): Answer<'listCosts'> {
    return budgets.listCosts(this.#service, ...args);
  }
  async listQueues(...args: Args<'listQueues'>): Answer<'listQueues'> {
    return pool.listQueues(this.#service, ...args);
  }
  async changePool(...args: Args<'changePool'>): Answer<'changePool'> {
    return pool.changePool(this.#service, ...args);
  }
  async listCredentials(...args: Args<'listCredentials'>): Answer<'listCredentials'> {
    return pool.listCredentials(this.#service, ...args);
  }
  async createCredential(...args: Args<'createCredential'>): Answer<'createCredential'> {
    return pool.createCredential(this.#service, ...args);
  }
  async revokeCredential(...args: Args<'revokeCredential'>): Answer<'revokeCredential'> {
    return pool.revokeCredential(this.#service, ...args);
  }
  async probe(): Answer<'probe'> {
    return probe(this.#service);
  }
  async shutdown(...args: Args<'shutdown'>): Answer<'shutdown'> {
    return pool.shutdown(this.#service, ...args);
  }

  get #parts(): Assembly {
    if (this.#assembly === undefined) throw new SwitchyardError('internal', 'a call came before the Fleet was opened');
    return this.#assembly;
  }

  get #service(): Service {
    return this.#parts.service;
  }
}
