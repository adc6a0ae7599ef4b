import {readdirSync, readFileSync} from 'node:fs';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import {migrate} from '../../../worker/src/fleet/migrator.ts';
import {LogHash} from '../../../worker/src/tasklog/log-hash.ts';
import {logStore, rawBytesFrom, type LogStore} from '../../../worker/src/tasklog/log-store.ts';
import {
  admit,
  fencedAttempt,
  laterAttempt,
  takeMessage,
  type Taken,
} from '../../../worker/src/tasklog/runner-messages.ts';
import type {Chance} from '../kernel/chance.ts';
import type {Fact} from '../kernel/fact.ts';
import type {Timeline} from '../kernel/timeline.ts';
import type {Connection} from '../network/connection.ts';
import {CommittedSql} from './committed-sql.ts';
import {sealOf} from './proof.ts';

export type LogConnection = Connection<string | Uint8Array, LogDown>;

const folder = new URL('../../../migrations/tasklog/', import.meta.url);
const migrations = readdirSync(folder)
  .toSorted()
  .map(name => ({name: name.replace(/\.sql$/, ''), statements: readFileSync(new URL(name, folder), 'utf8')}));

/** Opening a database costs more than most tasks: a log that is over leaves its own, empty, to the next one. */
const unused: CommittedSql[] = [];

function freshSql(): CommittedSql {
  const used = unused.pop();
  if (used !== undefined) return used;
  const sql = new CommittedSql();
  migrate(sql, migrations, 0);
  sql.commit();
  return sql;
}

export type LogParts = {
  readonly task: string;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly see: (fact: Fact) => void;
};

type Writer = {readonly connection: LogConnection; readonly epoch: number; readonly runner: string};
type Arrival = {readonly writer: Writer; readonly message: string | Uint8Array};
type Reply = {readonly writer: Writer; readonly taken: Taken};

/** The log of one task: the shipped rules over their own rows, behind a shell whose commits and deaths the world decides. */
export class LogObject {
  readonly #parts: LogParts;
  readonly #sql = freshSql();
  store: LogStore;
  #hash = new LogHash();
  readonly #writers = new Map<string, Writer>();
  #inbox: Arrival[] = [];
  #replies: readonly Reply[] | undefined;
  #life = 0;
  diesNext: 'beforeCommit' | 'afterCommit' | undefined;
  onDeath: () => void = () => undefined;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.store = logStore(this.#sql.forLog);
  }

  /** Takes the socket of an attempt whose ticket the Worker checked. The newest socket of an attempt counts. */
  accept(connection: LogConnection, {epoch, runner}: {readonly epoch: number; readonly runner: string}): void {
    const writer = {connection, epoch, runner};
    const refusal = this.#sql.transaction(() => admit(this.store, writer));
    this.#sql.commit();
    if (refusal !== undefined) {
      this.#letGo(writer, refusal);
      return;
    }
    for (const other of this.#writers.values()) {
      if (other.epoch < epoch) this.#letGo(other, laterAttempt);
      else other.connection.closeAtServer(closeCodes.replaced, 'a newer connection of this attempt');
      this.#writers.delete(other.connection.id);
    }
    this.#writers.set(connection.id, writer);
    this.#answer(writer, {t: 'state', len: this.store.newest()?.length ?? 0, watching: 0});
  }

  receive(id: string, message: string | Uint8Array): void {
    const writer = this.#writers.get(id);
    if (writer === undefined) return;
    this.#inbox.push({writer, message});
    if (this.#replies === undefined) this.#execute();
  }

  closed(id: string): void {
    this.#writers.delete(id);
  }

  finish(state: string): void {
    this.store.finish(state as TaskState);
    this.#sql.commit();
  }

  /** The control plane took an attempt from its runner: what that one still sends is not taken. */
  fence(epoch: number): void {
    this.store.fence(epoch);
    this.#sql.commit();
    for (const writer of this.#writers.values())
      if (writer.epoch <= this.store.fenced()) this.#letGo(writer, fencedAttempt);
  }

  die(how: 'beforeCommit' | 'afterCommit'): void {
    if (how === 'afterCommit') this.#sql.commit();
    else this.#sql.rollBack();
    this.#life += 1;
    this.#replies = undefined;
    this.#inbox = [];
    for (const {connection} of this.#writers.values()) connection.abandonAtServer();
    this.#writers.clear();
    this.store = logStore(this.#sql.forLog);
    this.#hash = new LogHash();
    this.#parts.see({t: 'log.restarted', task: this.#parts.task});
    this.onDeath();
  }

  get isBusy(): boolean {
    return this.#writers.size > 0;
  }

  /** The bytes of one attempt from `from` on, as whoever reads the log gets them. */
  bytesOf(epoch: number, from = 0): Uint8Array {
    const attempt = this.store.attempts().find(each => each.epoch === epoch);
    if (attempt === undefined) return new Uint8Array(0);
    const parts: Uint8Array[] = [];
    const end = attempt.base + attempt.length;
    for (let at = attempt.base + from; at < end;) {
      const chunk = this.store.chunkAt(at);
      if (chunk === undefined) break;
      const bytes = rawBytesFrom(chunk, at).subarray(0, end - at);
      parts.push(bytes);
      at += bytes.length;
    }
    return Buffer.concat(parts);
  }

  release(): void {
    this.#life += 1;
    this.#sql.rollBack();
    const tables = this.#sql.all<{name: string}>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'migration'",
    );
    for (const {name} of tables) this.#sql.run(`DELETE FROM ${name}`);
    this.#sql.commit();
    unused.push(this.#sql);
  }

  #execute(): void {
    const {timeline, chance} = this.#parts;
    const arrivals = this.#inbox;
    this.#inbox = [];
    const nowMs = timeline.nowMs;
    const log = {store: this.store, hash: this.#hash};
    this.#replies = this.#sql.transaction(() =>
      arrivals.map(({writer, message}) => ({writer, taken: takeMessage(log, {epoch: writer.epoch, message, nowMs})})),
    );
    const death = this.diesNext;
    this.diesNext = undefined;
    const life = this.#life;
    timeline.after(chance.between(0, 3), () => {
      if (life !== this.#life) return;
      if (death === undefined) this.#synced();
      else this.die(death);
    });
  }

  #synced(): void {
    const replies = this.#replies ?? [];
    this.#replies = undefined;
    this.#sql.commit();
    replies.forEach((reply, index) => {
      if (!isOvertaken(reply, replies.slice(index + 1))) this.#reply(reply);
    });
    if (this.#inbox.length > 0) this.#execute();
  }

  #reply({writer, taken}: Reply): void {
    if (taken.kind === 'nothing') return;
    if (taken.kind === 'malformed') throw new Error(`the log called a frame malformed: ${taken.why}`);
    if (taken.kind === 'sealed') {
      const receipt = sealOf('receipt', this.#parts.task, writer.epoch, taken.length, taken.sha256);
      this.#answer(writer, {t: 'sealed', len: taken.length, receipt});
    } else if (taken.message.t === 'gone') this.#letGo(writer, taken.message.why);
    else this.#answer(writer, taken.message);
  }

  #answer({connection, epoch}: Writer, message: LogDown): void {
    this.#parts.see({t: 'log.answered', task: this.#parts.task, epoch, message});
    connection.down(message);
  }

  #letGo(writer: Writer, why: string): void {
    this.#answer(writer, {t: 'gone', why});
    this.#writers.delete(writer.connection.id);
    writer.connection.closeAtServer(1_000, why);
  }
}

/** Acknowledgements are cumulative: a socket gets its last one. */
function isOvertaken({writer, taken}: Reply, later: readonly Reply[]): boolean {
  const next = later.find(each => each.writer === writer);
  return isAck(taken) && next !== undefined && isAck(next.taken);
}

const isAck = (taken: Taken): boolean => taken.kind === 'message' && taken.message.t === 'ack';
