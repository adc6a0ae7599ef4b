import type {AgentStatus, AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {Scope} from '@switchyard/shared/api/contract.ts';
import type {BudgetView} from '@switchyard/shared/api/budget-contracts.ts';
import type {PoolSettings, PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import type {QueueView} from '@switchyard/shared/api/queue-contracts.ts';
import type {RunnerView} from '@switchyard/shared/api/runner-contracts.ts';
import type {TaskEventView, TaskView} from '@switchyard/shared/api/task-view.ts';
import type {AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {ApprovalId, RunnerId, TaskId} from '@switchyard/shared/domain/id.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {ApprovalState} from '@switchyard/shared/machine/approval-machine.ts';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {PublicJwk} from '@switchyard/shared/protocol/envelope.ts';
import type {BudgetChange, Grant, OverrideChange} from './budget-calls.ts';
import type {Message} from './messages.ts';
import type {CostQuery, Costs} from './cost-views.ts';

/**
 * What the Worker asks of the Fleet of one pool, as typed RPC. The Worker has verified every MAC, signature and schema
 * before it calls; the Fleet settles what only its own rows know: whether a credential still stands, its scope, whether
 * a nonce was seen. Expected failures are values, because an error loses its class on the way between objects.
 */
export type Outcome<Value> =
  | {readonly ok: true; readonly value: Value}
  | {readonly ok: false; readonly code: ErrorCode; readonly detail: string; readonly retryAfterMs?: number | undefined};

/** Must be remembered in the same transaction as the work, for replay protection. */
export type Nonce = {readonly value: string; readonly expiresAtMs: number};

export type Caller =
  /** A bearer token whose MAC holds. */
  | {readonly kind: 'token'; readonly id: string; readonly hash: string}
  /** A request signed by a registered key. */
  | {readonly kind: 'signer'; readonly id: string; readonly nonce: Nonce}
  /** A request signed with the dispatch secret of the installation. */
  | {readonly kind: 'dispatch'; readonly nonce: Nonce}
  /** The root token of the installation. */
  | {readonly kind: 'root'};

export type Submission = {
  readonly specs: readonly TaskSpec[];
  /** Same key and same hash: the first task is answered; same key and another hash: `idempotency_conflict`. */
  readonly idempotency?: {readonly key: string; readonly bodySha256: string} | undefined;
  /** False: `capacity_reached` unless a runner takes it at once. */
  readonly queue: boolean;
  /** Names under which a client of an older API knows the task; unique in the pool, found by `taskByAlias`. */
  readonly alias?: string | undefined;
  readonly retriedFrom?: TaskId | undefined;
  /** The task whose agent made this one. */
  readonly parent?: TaskId | undefined;
};

export type SubmittedTasks = {
  /** In the order of the specs. */
  readonly ids: readonly TaskId[];
  /** The first of them. The others are not shown: a view holds its spec, and the caller of a batch sent them all. */
  readonly first: TaskView;
  /** False: these were created by an earlier submission under the same idempotency key. */
  readonly created: boolean;
};

/** The same with the view as JSON text. */
export type SubmittedText = Omit<SubmittedTasks, 'first'> & {readonly first: string};

export type TaskListQuery = {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly states?: readonly TaskState[] | undefined;
  readonly repository?: string | undefined;
  readonly parent?: TaskId | undefined;
};

export type ApprovalPage = {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly state?: ApprovalState | undefined;
  readonly task?: TaskId | undefined;
};

export type LogAccess = {
  readonly task: TaskId;
  readonly state: TaskState;
  readonly epoch: number;
  /** How the attempt that was asked for ended; null while it has not, or where none was. */
  readonly ended: AttemptEnd | null;
  /** The only attempt has ended, and its exit says that it wrote nothing: there may be no log to ask. */
  readonly isEmpty: boolean;
};

/** An attempt under the id by which the older API knows it. */
export type NamedAttempt = {readonly id: string; readonly attempt: AttemptRecord};

export type AgentListQuery = {
  readonly limit: number;
  /** From `next` of the page before. */
  readonly cursor?: string | undefined;
  readonly status?: AgentStatus | undefined;
  readonly type?: string | undefined;
  readonly task?: TaskId | undefined;
};

export type SettingsChange = {
  readonly paused?: boolean | undefined;
  readonly stop_on_failure?: boolean | undefined;
  readonly latched?: false | undefined;
  readonly draining?: false | undefined;
  readonly max_concurrent?: PoolSettings['max_concurrent'] | undefined;
};

export type CredentialRow = {
  readonly id: string;
  readonly name: string;
  readonly kind: 'token' | 'hmac' | 'ed25519';
  readonly scope: Scope;
  readonly created_ms: number;
};

export type NewCredential = {
  readonly id: string;
  readonly name: string;
  readonly kind: CredentialRow['kind'];
  readonly scope: Scope;
  /** SHA-256 of the token, hex; null for signers, whose key id says all. */
  readonly hash: string | null;
};

export type Enrolment = {
  readonly runner: RunnerId;
  readonly name: string;
  readonly labels: readonly string[];
  readonly jwk: PublicJwk;
};

export interface FleetRpc {
  /** `submission` is the text of a `Submission`; `submission-text.ts` writes and reads both sides. */
  submit(caller: Caller, submission: string): Promise<Outcome<SubmittedText>>;
  getTask(caller: Caller, task: TaskId): Promise<Outcome<TaskView>>;
  taskByAlias(caller: Caller, alias: string): Promise<Outcome<TaskView>>;
  listTasks(
    caller: Caller,
    query: TaskListQuery,
  ): Promise<Outcome<{readonly tasks: readonly TaskView[]; readonly next: string | null}>>;
  listEvents(
    caller: Caller,
    query: {readonly task: TaskId; readonly after: number; readonly limit: number},
  ): Promise<Outcome<{readonly events: readonly TaskEventView[]; readonly next: number | null}>>;
  cancel(
    caller: Caller,
    request: {readonly task: TaskId; readonly reason: string; readonly graceMs: number},
  ): Promise<Outcome<TaskView>>;
  retry(caller: Caller, task: TaskId): Promise<Outcome<TaskView>>;
  message(
    caller: Caller,
    request: {readonly task: TaskId} & Message,
  ): Promise<Outcome<{readonly seq: number; readonly task: TaskId}>>;
  /**
   * Also remembers, when `live`, that the TaskLog must hear of the end of this task and of its attempts. `not_found` for
   * an `epoch` that the task has not had.
   */
  logAccess(
    caller: Caller,
    request: {readonly task: TaskId; readonly live: boolean; readonly epoch?: number | undefined},
  ): Promise<Outcome<LogAccess>>;

  /** Newest first. An id that was given out once stays with its attempt for as long as the task is kept. */
  listAgents(
    caller: Caller,
    query: AgentListQuery,
  ): Promise<Outcome<{readonly agents: readonly NamedAttempt[]; readonly next: string | null}>>;
  /** Every attempt that has not ended, newest first. */
  activeAgents(caller: Caller): Promise<Outcome<{readonly agents: readonly string[]}>>;
  getAgent(caller: Caller, id: string): Promise<Outcome<NamedAttempt>>;

  listApprovals(
    caller: Caller,
    page: ApprovalPage,
  ): Promise<Outcome<{readonly approvals: readonly ApprovalView[]; readonly next: string | null}>>;
  getApproval(caller: Caller, id: ApprovalId): Promise<Outcome<ApprovalView>>;
  /** In the name of the credential. `already_decided` where it was decided otherwise, or nobody waits any more. */
  decideApproval(
    caller: Caller,
    decision: {readonly id: ApprovalId; readonly decision: 'approve' | 'reject' | 'answer'; readonly text: string},
  ): Promise<Outcome<ApprovalView>>;

  listRunners(caller: Caller): Promise<Outcome<{readonly runners: readonly RunnerView[]}>>;
  createEnrolment(
    caller: Caller,
    enrolment: {
      readonly id: string;
      readonly hash: string;
      readonly labels: readonly string[];
      readonly expiresAtMs: number;
    },
  ): Promise<Outcome<null>>;
  /** Spends the enrolment token. The caller has verified its MAC and the proof of possession. */
  enrol(token: {readonly id: string; readonly hash: string}, enrolment: Enrolment): Promise<Outcome<null>>;
  setRunner(
    caller: Caller,
    change: {readonly runner: RunnerId; readonly to: 'drain' | 'resume' | 'revoke'},
  ): Promise<Outcome<RunnerView>>;
  /** Both signatures were verified. Answers until when the old key is good; a rotation that is in is answered again. */
  rotateKey(change: {
    readonly runner: RunnerId;
    readonly oldX: string;
    readonly newX: string;
  }): Promise<Outcome<{readonly oldUntilMs: number}>>;
  /**
   * One exchange of the polling transport: frames in, frames out, held until there is news. Errors are values.
   *
   * A session that is not known is answered with `challenge`; the next exchange of the same session carries `hello`.
   * What was answered counts as arrived when the next exchange of the session comes, so a runner whose exchange failed
   * must begin a new session: its `hello` asks for everything again. `runner_replaced`: another session is newer.
   */
  poll(
    runner: RunnerId,
    exchange: {readonly x: string; readonly session: string; readonly frame: string; readonly holdMs: number},
  ): Promise<Outcome<{readonly frame: string}>>;

  getPool(caller: Caller): Promise<Outcome<PoolView>>;
  listBudgets(caller: Caller): Promise<Outcome<{readonly budgets: readonly BudgetView[]}>>;
  /** What was spent in the period counts from its beginning; an override stays. */
  putBudget(caller: Caller, change: BudgetChange): Promise<Outcome<BudgetView>>;
  overrideBudget(caller: Caller, change: OverrideChange): Promise<Outcome<BudgetView>>;
  /** The same as an answer to what a spent budget asked. `already_decided` where it does not ask any more. */
  grantBudget(caller: Caller, grant: Grant): Promise<Outcome<ApprovalView>>;
  deleteBudget(caller: Caller, id: string): Promise<Outcome<{readonly id: string}>>;
  listCosts(caller: Caller, query: CostQuery): Promise<Outcome<Costs>>;
  listQueues(caller: Caller): Promise<Outcome<{readonly queues: readonly QueueView[]}>>;
  changePool(caller: Caller, change: SettingsChange): Promise<Outcome<PoolView>>;
  listCredentials(caller: Caller): Promise<Outcome<{readonly credentials: readonly CredentialRow[]}>>;
  createCredential(caller: Caller, credential: NewCredential): Promise<Outcome<null>>;
  revokeCredential(caller: Caller, id: string): Promise<Outcome<{readonly id: string}>>;
  /**
   * Resolves when the object has read and written its own database. `refused` counts, per kind, the events that were
   * refused since the object started; `outboxRows` wait to be delivered.
   */
  probe(): Promise<{
    readonly ms: number;
    readonly refused: Readonly<Record<string, number>>;
    readonly outboxRows: number;
  }>;
  /**
   * Stops offers for the whole pool and tells connected runners that a restart is coming. For admins, and for the
   * dispatch secret of the installation, which is good for one pool.
   */
  shutdown(caller: Caller): Promise<Outcome<PoolView>>;
}

/**
 * `fetch` of the Fleet takes only the WebSocket upgrade of a runner whose token the Worker verified; these headers, set
 * by the Worker and stripped from what clients send, carry what it verified.
 */
export const runnerHeader = 'x-switchyard-runner';
export const runnerKeyHeader = 'x-switchyard-runner-key';
