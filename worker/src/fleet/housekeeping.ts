import {silentAfterMs} from '@switchyard/shared/domain/lease.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {cleanUp, cleanupEveryMs} from './cleanup.ts';
import type {Executed, FleetCore} from './fleet-core.ts';
import type {GroupCommit} from './group-commit.ts';
import type {Outbox} from './outbox.ts';
import type {RunnerSockets} from './runner-sockets.ts';
import {endOldKeys, nextKeyEndMs} from './runner-keys.ts';
import {endSession, endSilent, nextSilenceMs} from './session-end.ts';
import {countIdempotencyKeys} from './submitted-before.ts';
import type {WakeUp} from './wake-up.ts';

export type HousekeepingParts = {
  readonly core: FleetCore;
  readonly commit: GroupCommit;
  readonly sockets: RunnerSockets;
  readonly outbox: Outbox;
  readonly wakeUp: WakeUp;
  /** Keeps the object alive until the work is done. */
  readonly keep: (work: Promise<void>) => void;
  readonly nowMs: () => number;
};

/** What happens although nobody asks: deadlines, silent sessions, deliveries, deletion. One alarm drives all of it. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #startedMs: number;
  #cleanedMs: number;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
    this.#startedMs = parts.nowMs();
    this.#cleanedMs = this.#startedMs;
  }

  /** The object has just begun to exist in memory: sockets may be gone, and the alarm may be missing. */
  async start(): Promise<void> {
    const {core, commit, sockets} = this.#parts;
    const lost = [...core.memory.runners.values()].filter(
      ({row}) => row.connection !== null && row.transport === 'websocket' && !sockets.has(row.connection),
    );
    if (lost.length > 0)
      await commit.run(batch => {
        for (const {row} of lost) endSession(batch, {runner: row.id, connection: row.connection ?? ''});
        return () => undefined;
      });
    await this.#setAlarm(this.#parts.outbox.nextDueMs());
  }

  afterBatch({outboxDueMs}: Executed): void {
    const {keep, nowMs} = this.#parts;
    if (outboxDueMs <= nowMs()) keep(this.#drain());
    const dueMs = this.#dueMs(outboxDueMs);
    // Mostly the alarm rings early enough already, and nothing has to be awaited.
    if (this.#parts.wakeUp.isLaterThan(dueMs)) keep(this.#parts.wakeUp.setFor(dueMs, nowMs()));
  }

  /** A socket was opened: it has to say hello in time. */
  async opened(): Promise<void> {
    await this.#setAlarm(this.#parts.nowMs() + limits.challengeMs);
  }

  /** Safe to run at any time and again: whatever is not due is left alone. */
  async alarm(): Promise<void> {
    const {wakeUp, commit, sockets, core, nowMs, outbox} = this.#parts;
    wakeUp.rang();
    await commit.run(batch => {
      endSilent(batch, runner => this.#heardMs(runner));
      endOldKeys(batch);
      return () => undefined;
    });
    const challengeDueMs = sockets.closeUngreeted(
      nowMs(),
      (connection, runner) => core.memory.runners.get(runner)?.row.connection === connection,
    );
    await outbox.drain();
    const hasMore = this.#cleanUp();
    const silenceMs = nextSilenceMs(core, runner => this.#heardMs(runner));
    const cleanupMs = hasMore ? nowMs() + 1 : this.#cleanedMs + cleanupEveryMs;
    const keyEndMs = nextKeyEndMs(core.memory);
    await this.#setAlarm(Math.min(challengeDueMs, silenceMs, keyEndMs, outbox.nextDueMs(), cleanupMs));
  }

  #cleanUp(): boolean {
    const nowMs = this.#parts.nowMs();
    if (nowMs < this.#cleanedMs + cleanupEveryMs) return false;
    const {core} = this.#parts;
    const hasMore = cleanUp(core.parts.sql, nowMs);
    core.memory.idempotencyKeys = countIdempotencyKeys(core.parts.sql);
    if (!hasMore) this.#cleanedMs = nowMs;
    return hasMore;
  }

  async #drain(): Promise<void> {
    await this.#parts.outbox.drain();
    await this.#setAlarm(this.#parts.outbox.nextDueMs());
  }

  async #setAlarm(dueMs: number): Promise<void> {
    const {wakeUp, nowMs} = this.#parts;
    await wakeUp.setFor(this.#dueMs(dueMs), nowMs());
  }

  #dueMs(dueMs: number): number {
    const {core, nowMs} = this.#parts;
    // A session that says nothing from now on is looked at in time; an alarm that rings earlier looks as well.
    const silenceMs = hasSession(core) ? nowMs() + silentAfterMs(core.parts.leaseConfig('standard')) : Infinity;
    return Math.min(dueMs, core.nextDueMs(), silenceMs, nowMs() + cleanupEveryMs);
  }

  /** The latest sign of life of a runner: a message, a ping that was answered while the object slept, or our own start. */
  #heardMs(runner: string): number {
    const {core, sockets} = this.#parts;
    const connection = core.memory.runners.get(runner)?.row.connection ?? '';
    return Math.max(core.memory.seenMs.get(runner) ?? this.#startedMs, sockets.pingedMs(connection));
  }
}

function hasSession({memory}: FleetCore): boolean {
  for (const {row} of memory.runners.values()) if (row.connection !== null) return true;
  return false;
}
