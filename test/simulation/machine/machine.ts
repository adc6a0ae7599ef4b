import type {Chance} from '../kernel/chance.ts';
import {keyOf, type AttemptOf, type Fact} from '../kernel/fact.ts';
import type {Timeline} from '../kernel/timeline.ts';
import type {Line} from '../network/line.ts';
import {Disk, type RunDirectory} from './disk.ts';
import type {Agent} from './shim.ts';

export type MachineParts = {
  readonly index: number;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly line: Line;
  readonly see: (fact: Fact) => void;
  /** How fast the boot clock runs: 1 is true time. */
  readonly clockRate: number;
  readonly seed: number;
};

/**
 * A host: clocks, a disk, processes that live on their own. Timers of its processes do not count sleep, its boot clock
 * does; a crash takes everything but the disk.
 */
export class Machine {
  readonly parts: MachineParts;
  readonly disk = new Disk();
  /** Live agents, by attempt. */
  readonly agents = new Map<string, Agent>();
  boot = 1;
  isUp = true;
  #bootedMs: number;
  #suspendedMs: number | undefined;
  #deferred: {readonly boot: number; readonly remainingMs: number; readonly run: () => void}[] = [];
  #pids = 0;
  /** Called when a run directory changed: the agent printed, or ended. */
  onChange: (directory: RunDirectory) => void = () => undefined;
  /** The runner process and what it holds in memory. */
  process: {readonly vanish: (isNoticed: boolean) => void; readonly woke: () => void} | undefined;

  constructor(parts: MachineParts) {
    this.parts = parts;
    this.#bootedMs = parts.timeline.nowMs - parts.chance.between(1_000, 9_000);
  }

  get isSuspended(): boolean {
    return this.#suspendedMs !== undefined;
  }

  nextPid(): number {
    this.#pids += 1;
    return this.parts.index * 100_000 + this.#pids;
  }

  /** Milliseconds since boot, asleep or awake, by the clock of this machine. */
  bootMs(): number {
    return Math.floor((this.parts.timeline.nowMs - this.#bootedMs) * this.parts.clockRate);
  }

  /** The true time at which the boot clock shows `bootMs`. */
  trueMs(bootMs: number): number {
    return Math.ceil(this.#bootedMs + bootMs / this.parts.clockRate);
  }

  /** By a timer of this boot, which stands still while the machine sleeps. */
  after(delayMs: number, run: () => void): void {
    const {timeline} = this.parts;
    const {boot} = this;
    if (this.#suspendedMs !== undefined) {
      this.#deferred.push({boot, remainingMs: delayMs, run});
      return;
    }
    const dueMs = timeline.nowMs + delayMs;
    timeline.at(dueMs, () => this.#fire(boot, dueMs, run));
  }

  /** For what arrives from outside: at once, or when the machine wakes. */
  whenAwake(run: () => void): void {
    if (!this.isUp) return;
    if (this.#suspendedMs === undefined) run();
    else this.after(1, run);
  }

  suspend(forMs: number): boolean {
    if (!this.isUp || this.#suspendedMs !== undefined) return false;
    const {timeline, see, index} = this.parts;
    const {boot} = this;
    this.#suspendedMs = timeline.nowMs;
    see({t: 'machine.suspended', machine: index});
    timeline.after(forMs, () => {
      if (boot === this.boot) this.wake();
    });
    return true;
  }

  wake(): void {
    if (this.#suspendedMs === undefined) return;
    const {see, index, timeline, chance} = this.parts;
    this.#suspendedMs = undefined;
    see({t: 'machine.woke', machine: index});
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const {boot, remainingMs, run} of deferred) {
      const dueMs = timeline.nowMs + remainingMs;
      timeline.at(dueMs, () => this.#fire(boot, dueMs, run));
    }
    // Whoever looks at the boot clock does so every second by a timer.
    for (const agent of this.agents.values()) this.after(chance.between(0, 1_000), () => agent.look());
    this.after(chance.between(0, 1_000), () => this.process?.woke());
  }

  /** Everything but the disk is gone, at once. Answers whether a log lost bytes. */
  crash(downMs: number): boolean {
    if (!this.isUp) return false;
    const {see, index, timeline, chance} = this.parts;
    this.isUp = false;
    this.#suspendedMs = undefined;
    this.#deferred = [];
    this.boot += 1;
    see({t: 'host.crashed', machine: index});
    this.process?.vanish(false);
    this.process = undefined;
    for (const agent of [...this.agents.values()]) agent.vanish();
    const isLost = this.disk.losePower(chance);
    timeline.after(downMs, () => this.bootUp());
    return isLost;
  }

  onBoot: () => void = () => undefined;

  bootUp(): void {
    if (this.isUp) return;
    const {see, index, timeline} = this.parts;
    this.isUp = true;
    this.#bootedMs = timeline.nowMs - 5_000;
    see({t: 'host.booted', machine: index});
    this.onBoot();
  }

  directoryOf(of: AttemptOf): RunDirectory | undefined {
    return this.disk.directories.get(keyOf(of));
  }

  #fire(boot: number, dueMs: number, run: () => void): void {
    if (boot !== this.boot || !this.isUp) return;
    if (this.#suspendedMs === undefined) run();
    else this.#deferred.push({boot, remainingMs: Math.max(0, dueMs - this.#suspendedMs), run});
  }
}
