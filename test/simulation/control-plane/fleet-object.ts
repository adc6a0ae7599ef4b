import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {silentAfterMs} from '@switchyard/shared/domain/lease.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {LeaseConfig, DownMessage} from '@switchyard/shared/protocol/down.ts';
import {exitRecordSchema} from '@switchyard/shared/protocol/exit-record.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {Batch} from '../../../worker/src/fleet/batch.ts';
import {judgeExit, receiptClaim} from '../../../worker/src/fleet/check-up.ts';
import {cleanupEveryMs} from '../../../worker/src/fleet/cleanup.ts';
import type {Draft} from '../../../worker/src/fleet/draft.ts';
import {
  FleetCore,
  type CoreParts,
  type Executed,
  type Settled,
  type Work,
} from '../../../worker/src/fleet/fleet-core.ts';
import {checkRunner} from '../../../worker/src/fleet/runner-keys.ts';
import {dispatchOf} from '../../../worker/src/fleet/sealer.ts';
import {endSession, endSilent, nextSilenceMs} from '../../../worker/src/fleet/session-end.ts';
import type {TaskRow} from '../../../worker/src/fleet/task-row.ts';
import {handleUp} from '../../../worker/src/fleet/up-messages.ts';
import type {CheckedUp, From} from '../../../worker/src/fleet/up-work.ts';
import {fleetMigrations} from '../../fixtures/fleet-core.ts';
import type {Chance} from '../kernel/chance.ts';
import type {Fact, TaskSeen} from '../kernel/fact.ts';
import {cancel, type Timeline, type Timer} from '../kernel/timeline.ts';
import type {Connection} from '../network/connection.ts';
import {CommittedSql} from './committed-sql.ts';
import {sealOf, sha256Of, signed, verified} from './proof.ts';

export const simulatedPool = 'simulated';

/** Milliseconds of the server's wall clock at the start of every world. */
export const startMs = 1_800_000_000_000;

export type ControlConnection = Connection<readonly UpMessage[], readonly DownMessage[]>;

type Session = {
  readonly connection: ControlConnection;
  readonly runner: string;
  readonly x: string;
  readonly openedMs: number;
  entersAtMs: number;
};

type Waiting = {readonly work: Work<unknown>; readonly settle: ((settled: Settled<unknown>) => void) | undefined};
type Syncing = {readonly executed: Executed; readonly waiting: readonly Waiting[]; readonly facts: readonly Fact[]};

export type FleetParts = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly lease: LeaseConfig;
  readonly see: (fact: Fact) => void;
  readonly finishLog: (task: string, state: string) => void;
  readonly fenceLog: (task: string, epoch: number) => void;
};

/** How an object dies. `evicted` is hibernation: only memory is lost, and only while nothing is under way. */
export type Death = 'beforeCommit' | 'afterCommit' | 'evicted';

const rowQuery =
  'SELECT id, state, epoch, runner, expires_ms, conc_key, title, lane, queued_ms FROM task WHERE finished_ms IS NULL OR finished_ms >= ?';
const wholeLookEvery = 25;
/** A batch is looked at when it is durable, which may be this much later than it was decided. */
const lookBackMs = 30_000;

/** The Fleet of the pool: the shipped core, behind a shell whose commits, alarms and deaths the world decides. */
export class FleetObject {
  readonly #parts: FleetParts;
  readonly #core: CoreParts;
  readonly sql = new CommittedSql();
  core: FleetCore;
  readonly #sessions = new Map<string, Session>();
  #waiting: Waiting[] = [];
  #syncing: Syncing | undefined;
  #facts: Fact[] = [];
  #life = 0;
  #startedMs: number;
  #alarm: Timer | undefined;
  #departsAtMs = 0;
  /** Faults: alarms come so much later; a commit takes so much longer. */
  alarmLateMs = 0;
  syncMs = 0;
  /** Set by a fault: the object dies in this way once its next batch was executed. */
  diesNext: Death | undefined;
  onDeath: (how: Death) => void = () => undefined;
  onSlow: () => void = () => undefined;
  onLateAlarm: () => void = () => undefined;
  readonly rows = new Map<string, TaskSeen>();
  #connections = 0;
  #looks = 0;
  #lookedMs = 0;

  constructor(parts: FleetParts) {
    this.#parts = parts;
    this.#core = {
      pool: simulatedPool,
      sql: this.sql,
      nowMs: () => startMs + parts.timeline.nowMs,
      random: parts.chance.next,
      randomBytes: parts.chance.bytes,
      leaseConfig: () => parts.lease,
      migrations: fleetMigrations,
    };
    this.core = new FleetCore(this.#core);
    this.sql.commit();
    this.#startedMs = this.#nowMs;
  }

  get randomBytes(): (length: number) => Uint8Array {
    return this.#parts.chance.bytes;
  }

  nextConnection(): string {
    this.#connections += 1;
    return `connection-${this.#connections}`;
  }

  /** Takes a socket whose upgrade the Worker let through. */
  accept(connection: ControlConnection, {runner, x}: {readonly runner: string; readonly x: string}): void {
    const {timeline} = this.#parts;
    const openedMs = timeline.nowMs;
    this.#sessions.set(connection.id, {connection, runner, x, openedMs, entersAtMs: openedMs});
    try {
      checkRunner(this.core.memory.runners.get(runner)?.row, x, openedMs);
    } catch (error) {
      const isRevoked = error instanceof SwitchyardError && error.code === 'runner_revoked';
      this.#close(connection.id, isRevoked ? closeCodes.revoked : closeCodes.unauthorized, 'not welcome');
      return;
    }
    connection.down([{t: 'challenge', nonce: connection.id.padEnd(16, '.')}]);
    this.#arm(this.#nowMs + limits.challengeMs);
  }

  /** One frame of a socket: in the order of its socket, although a signature takes time to check. */
  receive(id: string, messages: readonly UpMessage[]): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    const {timeline, chance} = this.#parts;
    const isSigned = messages.some(({t}) => t === 'hello' || t === 'exit');
    const atMs = Math.max(session.entersAtMs, timeline.nowMs + (isSigned ? chance.between(1, 3) : 0));
    session.entersAtMs = atMs;
    const life = this.#life;
    const enter = (): void => {
      if (life !== this.#life || !this.#sessions.has(id)) return;
      const from: From = {runner: session.runner, connection: id, transport: 'websocket'};
      this.run(
        batch => {
          for (const message of messages) this.#take(batch, from, message);
          return () => undefined;
        },
        settled => {
          if (!settled.ok) this.#close(id, 1_011, 'the frame could not be handled: connect again');
        },
      );
    };
    if (atMs === timeline.nowMs) enter();
    else timeline.at(atMs, enter);
  }

  closed(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.run(batch => {
      endSession(batch, {runner: session.runner, connection: id});
      return () => undefined;
    });
  }

  /** Joins the next batch; `settle` is called after its commit, and never when the object dies before. */
  run(work: Work<unknown>, settle?: (settled: Settled<unknown>) => void): void {
    this.#waiting.push({work, settle});
    if (this.#syncing === undefined) this.#execute();
  }

  /** Answers false when there was nothing that this death could have taken. */
  die(how: Death): boolean {
    if (how === 'evicted' && (this.#syncing !== undefined || this.#waiting.length > 0)) return false;
    const lost = this.#syncing;
    if (lost !== undefined && how === 'afterCommit') this.#durable(lost);
    else this.sql.rollBack();
    this.#syncing = undefined;
    this.#waiting = [];
    this.#facts = [];
    this.#life += 1;
    if (how !== 'evicted') {
      for (const {connection} of this.#sessions.values()) connection.abandonAtServer();
      this.#sessions.clear();
    }
    this.core = new FleetCore(this.#core);
    this.#startedMs = this.#nowMs;
    this.#parts.see({t: 'fleet.restarted', how});
    this.onDeath(how);
    this.#start();
    return true;
  }

  /** A message to a runner as somebody in between would hold it: the world may send it again, or to another one. */
  seal(runner: string, draft: Draft): DownMessage | undefined {
    if (draft.t === 'go') {
      const {task, epoch, echo} = draft;
      return {
        t: 'go',
        task,
        epoch,
        echo,
        log_ticket: sealOf('ticket', task, epoch, runner),
      };
    }
    if (draft.t !== 'offer') return draft;
    const nowMs = this.#nowMs;
    const spec =
      this.core.memory.freshSpecs.take(draft.task) ??
      this.sql.all<{spec: string}>('SELECT spec FROM task_spec WHERE task = ?', draft.task)[0]?.spec;
    if (spec === undefined || nowMs >= draft.untilMs) return undefined;
    const jti = sealOf('jti', draft.task, draft.epoch, nowMs).padStart(8, '0');
    const payload = dispatchOf({pool: simulatedPool, runner, nowMs, jti, spec, specSha256: sha256Of(spec)}, draft);
    const {task, epoch} = payload;
    return {t: 'offer', task, epoch, envelope: signed(payload), expires_in_ms: draft.untilMs - nowMs};
  }

  /** What is durable of the tasks; told as facts where it is not what it was. What has ended is read now and then. */
  look(): void {
    this.#looks += 1;
    const fromMs = this.#looks % wholeLookEvery === 0 ? 0 : this.#lookedMs;
    this.#lookedMs = this.#nowMs - lookBackMs;
    for (const row of this.sql.all<TaskSeen>(rowQuery, fromMs)) {
      const before = this.rows.get(row.id);
      if (before !== undefined && isSame(before, row)) continue;
      this.rows.set(row.id, row);
      this.#parts.see({t: 'task', before, after: row});
    }
  }

  get #nowMs(): number {
    return startMs + this.#parts.timeline.nowMs;
  }

  #execute(): void {
    const {timeline, chance} = this.#parts;
    const waiting = this.#waiting;
    this.#waiting = [];
    const executed = this.core.execute(waiting.map(({work}) => work));
    this.#syncing = {executed, waiting, facts: this.#facts};
    this.#facts = [];
    const life = this.#life;
    const death = this.diesNext;
    this.diesNext = undefined;
    if (death !== undefined) {
      timeline.after(0, () => this.die(death));
      return;
    }
    if (this.syncMs > 0) this.onSlow();
    const takesMs = chance.between(0, 2) + (this.syncMs > 0 ? chance.between(1, this.syncMs) : 0);
    timeline.after(takesMs, () => {
      if (life === this.#life) this.#synced();
    });
  }

  #synced(): void {
    const done = this.#syncing;
    if (done === undefined) return;
    this.#syncing = undefined;
    this.#durable(done);
    this.#deliver(done.executed);
    done.waiting.forEach(({settle}, index) =>
      settle?.(done.executed.results[index] ?? {ok: false, error: new Error('no result')}),
    );
    this.#drainOutbox();
    this.#arm(Math.min(done.executed.outboxDueMs, this.#dueMs()));
    if (this.#waiting.length > 0) this.#execute();
  }

  #durable({facts}: Syncing): void {
    this.sql.commit();
    for (const fact of facts) this.#parts.see(fact);
    this.look();
  }

  /** Signs, then sends in the order of the batches. */
  #deliver({drafts, closings}: Executed): void {
    const {timeline, chance} = this.#parts;
    const bySocket = new Map<string, {runner: string; drafts: Draft[]}>();
    for (const {runner, connection, draft} of drafts) {
      const group = bySocket.get(connection) ?? {runner, drafts: []};
      bySocket.set(connection, group);
      group.drafts.push(draft);
    }
    const life = this.#life;
    for (const [id, {runner, drafts: own}] of bySocket) {
      this.#departsAtMs = Math.max(this.#departsAtMs, timeline.nowMs + chance.between(0, 1));
      timeline.at(this.#departsAtMs, () => {
        if (life === this.#life) this.#send(id, runner, own);
      });
    }
    for (const {connection, code, why} of closings)
      timeline.at(this.#departsAtMs, () => {
        if (life === this.#life) this.#close(connection, code, why);
      });
  }

  #send(id: string, runner: string, drafts: readonly Draft[]): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    const messages = drafts.map(draft => this.seal(runner, draft)).filter(message => message !== undefined);
    if (messages.length === 0) return;
    for (const message of messages) this.#parts.see({t: 'fleet.sent', runner, message});
    session.connection.down(messages);
  }

  #close(id: string, code: number, why: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    session.connection.closeAtServer(code, why);
  }

  #take(batch: Batch, from: From, message: UpMessage): void {
    const refs =
      'task' in message
        ? [message]
        : 'items' in message
          ? message.items
          : 'inventory' in message
            ? message.inventory
            : [];
    const before = refs.map(({task}) => batch.task(task));
    handleUp(batch, from, checked(from, message));
    refs.forEach(({task, epoch}, index) => {
      if (refs.some(other => other.task === task && other.epoch > epoch)) return;
      const row = before[index];
      const changed = !isEqual(batch.task(task), row);
      this.#facts.push({t: 'fleet.took', kind: message.t, task, epoch, rowEpoch: row?.epoch ?? 0, changed});
    });
    if (batch.runner(from.runner)?.row.connection !== from.connection) return;
    if (message.t === 'hello' || message.t === 'renew')
      this.#facts.push({t: 'fleet.heardSlots', runner: from.runner, slots: message.slots['default'] ?? 0});
    if (message.t === 'draining') this.#facts.push({t: 'fleet.heardSlots', runner: from.runner, slots: 0});
  }

  /** What the shipped housekeeping does when the object begins to exist. */
  #start(): void {
    const lost = [...this.core.memory.runners.values()].filter(
      ({row}) => row.connection !== null && !this.#sessions.has(row.connection),
    );
    if (lost.length > 0)
      this.run(batch => {
        for (const {row} of lost) endSession(batch, {runner: row.id, connection: row.connection ?? ''});
        return () => undefined;
      });
    this.#arm(this.#dueMs());
  }

  #dueMs(): number {
    const {memory} = this.core;
    const hasSession = [...memory.runners.values()].some(({row}) => row.connection !== null);
    const silenceMs = hasSession ? this.#nowMs + silentAfterMs(this.core.parts.leaseConfig('standard')) : Infinity;
    return Math.min(this.core.nextDueMs(), silenceMs, this.#nowMs + cleanupEveryMs);
  }

  #arm(dueMs: number): void {
    const atMs = Math.max(this.#nowMs + 1, dueMs) - startMs;
    if (atMs === Infinity || (this.#alarm?.run !== undefined && this.#alarm.atMs <= atMs)) return;
    cancel(this.#alarm);
    this.#alarm = this.#parts.timeline.at(atMs, () => this.#ring());
  }

  #ring(): void {
    const {timeline} = this.#parts;
    if (this.alarmLateMs > 0) {
      const lateMs = this.alarmLateMs;
      this.alarmLateMs = 0;
      this.onLateAlarm();
      this.#alarm = timeline.after(lateMs, () => this.#ring());
      return;
    }
    this.#alarm = undefined;
    this.run(
      batch => {
        endSilent(batch, runner => this.#heardMs(runner));
        return () => undefined;
      },
      () => {
        const ungreeted = [...this.#sessions].filter(
          ([id, {runner, openedMs}]) =>
            timeline.nowMs >= openedMs + limits.challengeMs &&
            this.core.memory.runners.get(runner)?.row.connection !== id,
        );
        for (const [id] of ungreeted) this.#close(id, closeCodes.unauthorized, 'no hello came in time');
        const [outbox] = this.sql.all<{due: number | null}>('SELECT min(due_ms) AS due FROM outbox');
        const silenceMs = nextSilenceMs(this.core, runner => this.#heardMs(runner));
        this.#arm(Math.min(this.#dueMs(), silenceMs, outbox?.due ?? Infinity));
      },
    );
  }

  #heardMs(runner: string): number {
    return this.core.memory.seenMs.get(runner) ?? this.#startedMs;
  }

  #tell({kind, ...told}: Told): void {
    const {see, fenceLog, finishLog} = this.#parts;
    const {task = '', epoch = 0, state = '', outcome = '', log_bytes: logBytes = 0, at_ms: atMs = 0} = told;
    if (kind === 'log.fence' || kind === 'log.seal') fenceLog(task, epoch);
    if (kind === 'log.finish' && epoch === 0) finishLog(task, state);
    if (kind === 'history.attempt') see({t: 'history', task, epoch, outcome, logBytes, endedAtMs: atMs - startMs});
  }

  #drainOutbox(): void {
    const rows = this.sql.all<{due_ms: number; id: number; row: string}>(
      'SELECT due_ms, id, row FROM outbox WHERE due_ms <= ? ORDER BY due_ms, id',
      this.#nowMs,
    );
    for (const {due_ms, id, row} of rows) {
      this.#tell(JSON.parse(row) as Told);
      this.sql.run('DELETE FROM outbox WHERE due_ms = ? AND id = ?', due_ms, id);
    }
    if (rows.length > 0) this.sql.commit();
  }
}

type Told = {
  kind: string;
  at_ms?: number;
  task?: string;
  state?: string;
  epoch?: number;
  outcome?: string;
  log_bytes?: number;
};

function checked(from: From, message: UpMessage): CheckedUp {
  if (message.t === 'hello')
    return {t: 'hello', hello: message, isSigned: message.sig === sealOf('hello', from.connection, from.runner)};
  if (message.t !== 'exit') return message;
  const {task, epoch} = message;
  const record = verified(message.record, exitRecordSchema);
  const claim = record && receiptClaim(record);
  const hasReceipt =
    claim !== undefined &&
    claim.receipt === sealOf('receipt', claim.of.task, claim.of.epoch, claim.of.length, claim.of.sha256);
  return {t: 'exit', task, epoch, exit: judgeExit({task, epoch, runner: from.runner}, record, hasReceipt)};
}

function isEqual(left: TaskRow | undefined, right: TaskRow | undefined): boolean {
  if (left === right) return true;
  if (left === undefined || right === undefined) return false;
  // A row that is not live is read anew each time.
  for (const name in left) if (left[name as keyof TaskRow] !== right[name as keyof TaskRow]) return false;
  return true;
}

function isSame(left: TaskSeen, right: TaskSeen): boolean {
  return (
    left.state === right.state &&
    left.epoch === right.epoch &&
    left.runner === right.runner &&
    left.expires_ms === right.expires_ms &&
    left.queued_ms === right.queued_ms
  );
}
