import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptKey, type Attempt} from '../../../runner/src/attempt/attempt-state.ts';
import {startCursor, type LogCursor} from '../../../runner/src/logs/log-cursor.ts';
import type {JournalChange, JournalContent} from '../../../runner/src/state/journal.ts';
import type {Chance} from '../kernel/chance.ts';
import {GrowingBytes} from './growing-bytes.ts';

/** All files of one attempt. */
export class RunDirectory {
  readonly task: string;
  readonly epoch: number;
  /** Written just before a shim is started. */
  hasMeta = false;
  /** `mkdir claim`: whoever makes it first is the one shim. */
  isClaimed = false;
  /** `mkdir claim/go`: the agent starts, or it never will. */
  go: 'open' | 'shim' | 'void' = 'open';
  deadline = {softMs: 0, hardMs: 0};
  /** The shim's own process, as its identity says; of a boot. */
  shim: {readonly boot: number; isAlive: boolean} | undefined;
  exit: {readonly code: number; readonly signal: string | null} | undefined;
  isKilled = false;
  /** What the agent printed. */
  readonly out = new GrowingBytes();
  /** The log spool. */
  readonly log = new GrowingBytes();
  cursor: LogCursor = startCursor;
  syncedCursor: LogCursor = startCursor;

  constructor(task: string, epoch: number) {
    this.task = task;
    this.epoch = epoch;
  }
}

/** What survives the runner, and all but its unsynced tail the machine. */
export class Disk {
  isFull = false;
  /** How long a write may take; 0 for one that takes no time worth telling. */
  slowMs = 0;
  readonly directories = new Map<string, RunDirectory>();
  onRefused: () => void = () => undefined;
  #attempts: ReadonlyMap<string, Attempt> = new Map();
  #maxEpochs: ReadonlyMap<string, number> = new Map();
  #config: LeaseConfig | null = null;
  /** The boot of the last write, and that of the process that has the journal open. */
  #boot = 0;
  #openedIn = 0;
  #openings = 0;

  /** Throws `disk_full`; then nothing was written. */
  needRoom(what: string): void {
    if (!this.isFull) return;
    this.onRefused();
    throw new SwitchyardError('disk_full', `${what} cannot be written`);
  }

  openJournal(boot: number): JournalContent {
    this.needRoom('the journal');
    const sameBoot = this.#boot === boot;
    this.#openedIn = boot;
    this.#openings += 1;
    return {
      attempts: this.#attempts,
      maxEpochs: this.#maxEpochs,
      config: this.#config,
      sameBoot,
      openings: this.#openings,
    };
  }

  /** One transaction. */
  writeJournal({save, remove, epochs, forgetEpochs, config}: JournalChange): void {
    this.needRoom('the journal');
    this.#boot = this.#openedIn;
    const attempts = new Map(this.#attempts);
    for (const attempt of save) attempts.set(attemptKey(attempt), attempt);
    for (const ref of remove) attempts.delete(attemptKey(ref));
    this.#attempts = attempts;
    if (config !== undefined) this.#config = config;
    if (epochs.length + forgetEpochs.length === 0) return;
    const maxEpochs = new Map(this.#maxEpochs);
    for (const task of forgetEpochs) maxEpochs.delete(task);
    for (const {task, epoch} of epochs) {
      maxEpochs.delete(task);
      maxEpochs.set(task, epoch);
    }
    this.#maxEpochs = maxEpochs;
  }

  get journaled(): number {
    return this.#attempts.size;
  }

  /** The machine lost power: what no `fsync` had seen may be gone. Answers whether a log lost bytes. */
  losePower(chance: Chance): boolean {
    let isLost = false;
    for (const directory of this.directories.values()) {
      if (!chance.isLuck(0.3)) continue;
      const {log, syncedCursor} = directory;
      const length = chance.between(Math.min(syncedCursor.length, log.length), log.length);
      isLost ||= length < log.length;
      log.truncate(length);
      if (chance.isLuck(0.5)) directory.cursor = syncedCursor;
    }
    return isLost;
  }
}
