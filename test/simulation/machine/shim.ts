import {keyOf} from '../kernel/fact.ts';
import type {RunDirectory} from './disk.ts';
import type {Machine} from './machine.ts';
import {scriptOf, type AgentScript} from './agent-script.ts';

/** What the files and the process table say, as `run-status.ts` reads them. */
export type Status = 'absent' | 'claimed' | 'running' | 'exited' | 'killed' | 'lost';

export function statusOf({boot}: Machine, directory: RunDirectory | undefined): Status {
  if (directory === undefined) return 'absent';
  const {shim, exit, isKilled, isClaimed, go} = directory;
  const isAlive = shim !== undefined && shim.isAlive && shim.boot === boot;
  if (isKilled && (exit !== undefined || !isAlive)) return 'killed';
  if (exit !== undefined) return 'exited';
  if (shim === undefined) return !isClaimed ? 'absent' : go === 'void' ? 'lost' : 'claimed';
  return isAlive ? 'running' : 'lost';
}

export function isFinal(status: Status): boolean {
  return status === 'exited' || status === 'killed' || status === 'lost';
}

/** Starts the tiny process beside an agent: it claims the run directory, or finds it taken and ends. */
export function startShim(machine: Machine, directory: RunDirectory, title: string): void {
  const {chance, seed} = machine.parts;
  machine.after(chance.between(1, 20), () => {
    // Its first command enters the run directory.
    if (machine.directoryOf(directory) !== directory || directory.isClaimed) return;
    directory.isClaimed = true;
    machine.after(chance.between(0, 3), () => {
      const shim = {boot: machine.boot, isAlive: true};
      directory.shim = shim;
      if (directory.go === 'void') {
        shim.isAlive = false;
        return;
      }
      directory.go = 'shim';
      new Agent(machine, directory, scriptOf(seed, title, directory.epoch)).start();
    });
  });
}

/** An agent with its shim: the dead-man's switch needs no runner. */
export class Agent {
  readonly pid: number;
  readonly directory: RunDirectory;
  readonly #machine: Machine;
  readonly #script: AgentScript;
  /** What people said to it, by the number of the message. */
  readonly heard: number[] = [];
  #isAlive = true;
  #looks = 0;
  #askedSoftMs = -1;

  constructor(machine: Machine, directory: RunDirectory, script: AgentScript) {
    this.#machine = machine;
    this.directory = directory;
    this.#script = script;
    this.pid = machine.nextPid();
  }

  start(): void {
    const {see, index} = this.#machine.parts;
    const {task, epoch} = this.directory;
    this.#machine.agents.set(keyOf(this.directory), this);
    see({t: 'agent.started', machine: index, pid: this.pid, task, epoch});
    for (const {atMs, text} of this.#script.prints)
      this.#machine.after(atMs, () => {
        if (!this.#isAlive) return;
        this.directory.out.append(Buffer.from(text));
        this.#machine.onChange(this.directory);
      });
    this.#machine.after(this.#script.runMs, () => this.#end(this.#script.exitCode, null));
    this.look();
  }

  /** The dead man looks at the clock: at the soft time it asks, past the hard one it kills. */
  look(): void {
    if (!this.#isAlive) return;
    const {chance, timeline} = this.#machine.parts;
    const {softMs, hardMs} = this.directory.deadline;
    const nowMs = this.#machine.bootMs();
    if (nowMs >= hardMs) {
      this.kill();
      return;
    }
    if (nowMs >= softMs && this.#askedSoftMs !== softMs) {
      this.#askedSoftMs = softMs;
      this.terminate();
    }
    this.#looks += 1;
    const looks = this.#looks;
    const nextMs = nowMs >= softMs ? hardMs : softMs;
    // It looks every second; the looks that find nothing are left out.
    this.#machine.after(this.#machine.trueMs(nextMs) - timeline.nowMs + chance.between(0, 1_000), () => {
      if (looks === this.#looks) this.look();
    });
  }

  /** SIGTERM. */
  terminate(): void {
    const {termMs} = this.#script;
    if (this.#isAlive && termMs !== null) this.#machine.after(termMs, () => this.#end(143, 'SIGTERM'));
  }

  /** SIGKILL for the whole tree. */
  kill(): void {
    if (this.directory.exit === undefined) this.directory.isKilled = true;
    this.#machine.after(this.#script.dyingMs, () => this.#end(137, 'SIGKILL'));
  }

  /** The system killed it for its memory; the shim records how it ended. */
  outOfMemory(): void {
    this.#end(137, 'SIGKILL');
  }

  /** The machine lost power. */
  vanish(): void {
    this.#gone();
  }

  #gone(): boolean {
    if (!this.#isAlive) return false;
    this.#isAlive = false;
    this.#machine.agents.delete(keyOf(this.directory));
    const {see, index} = this.#machine.parts;
    const {task, epoch} = this.directory;
    see({t: 'agent.ended', machine: index, pid: this.pid, task, epoch});
    return true;
  }

  #end(code: number, signal: string | null): void {
    if (!this.#gone()) return;
    const {directory} = this;
    const machine = this.#machine;
    machine.after(machine.parts.chance.between(1, 30), () => {
      directory.exit = {code, signal};
      if (directory.shim !== undefined) directory.shim.isAlive = false;
      machine.onChange(directory);
    });
  }
}

/** Ends every process of an attempt; one that has not begun never will. */
export function killTree(machine: Machine, directory: RunDirectory): void {
  directory.isClaimed = true;
  if (directory.go === 'open') directory.go = 'void';
  if (directory.exit === undefined) directory.isKilled = true;
  machine.agents.get(keyOf(directory))?.kill();
}
