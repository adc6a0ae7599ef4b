import {newRunnerId, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {finishedTaskStates, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {LeaseConfig, Offer} from '@switchyard/shared/protocol/down.ts';
import {standardLease} from '../fixtures/fleet-core.ts';
import {FleetObject, startMs} from './control-plane/fleet-object.ts';
import {LogObject} from './control-plane/log-object.ts';
import {sealOf} from './control-plane/proof.ts';
import type {MachinePlan, Plan} from './faults/step.ts';
import {chanceOf, type Chance} from './kernel/chance.ts';
import type {Fact} from './kernel/fact.ts';
import {Timeline} from './kernel/timeline.ts';
import {Trace} from './kernel/trace.ts';
import {Machine} from './machine/machine.ts';
import {RunnerProcess, type ProcessParts} from './machine/runner-process.ts';
import {dial} from './network/dial.ts';
import {Line} from './network/line.ts';
import {Clients} from './people/clients.ts';

/** A machine with what it is to the pool. A revoked one comes back under a new id. */
export type Host = {
  readonly plan: MachinePlan;
  readonly machine: Machine;
  readonly line: Line;
  runner: RunnerId;
  x: string;
  process: RunnerProcess | undefined;
  isRevoked: boolean;
  /** Its wall clock is so wrong that the next connection is refused. */
  isClockWrong: boolean;
};

export const restartMs = 400;

/** One pool, its machines and its people, and all that happens between them. */
export class World {
  readonly plan: Plan;
  readonly timeline = new Timeline();
  readonly trace = new Trace();
  readonly lease: LeaseConfig = standardLease;
  readonly fleet: FleetObject;
  readonly logs = new Map<string, LogObject>();
  readonly hosts: Host[];
  readonly clients: Clients;
  readonly chance: Chance;
  /** What happened since the invariants last looked. */
  readonly facts: Fact[] = [];
  /** Faults of the schedule that took effect. */
  readonly taken = new Set<number>();
  /** A fault whose effect shows later, by what shows it. */
  readonly #armed = new Map<string, number[]>();
  readonly #offers: Offer[] = [];
  #logConnections = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    const {seed} = plan;
    const {timeline} = this;
    const see = (fact: Fact): void => this.see(fact);
    this.chance = chanceOf(seed, 'world');
    this.fleet = new FleetObject({
      timeline,
      chance: chanceOf(seed, 'fleet'),
      lease: this.lease,
      see,
      fenceLog: (task, epoch) => this.logs.get(task)?.fence(epoch),
      finishLog: (task, state) => this.logs.get(task)?.finish(state),
    });
    this.clients = new Clients({timeline, chance: chanceOf(seed, 'clients'), fleet: this.fleet, see});
    this.fleet.onDeath = () => this.show('fleet death');
    this.fleet.onLateAlarm = () => this.show('late alarm');
    this.fleet.onSlow = () => this.show('slow commit');
    this.hosts = plan.machines.map((machine, index) => this.#host(machine, index));
    for (const host of this.hosts) this.enrol(host);
  }

  see(fact: Fact): void {
    if (fact.t === 'fleet.sent' && fact.message.t === 'offer') this.#offers.push(fact.message);
    this.trace.add(this.timeline.nowMs, fact);
    this.facts.push(fact);
  }

  /** A fault takes effect now. */
  took(index: number): void {
    if (this.taken.has(index)) return;
    this.taken.add(index);
    this.see({t: 'fault', kind: this.plan.steps[index]?.kind ?? '', index});
  }

  /** The fault takes effect when `sign` shows. */
  arm(sign: string, index: number): void {
    const armed = this.#armed.get(sign) ?? [];
    this.#armed.set(sign, armed);
    armed.push(index);
  }

  show(sign: string): void {
    const armed = this.#armed.get(sign);
    if (armed === undefined) return;
    for (const index of armed.splice(0)) this.took(index);
  }

  isFinished(task: string): boolean {
    const state = this.fleet.rows.get(task)?.state;
    return state !== undefined && finishedTaskStates.has(state as TaskState);
  }

  /** An offer that was on the wire before comes again, to whoever is on this line. */
  replayOffer(host: Host, luck: number): boolean {
    const offer = this.#offers[Math.floor(luck * this.#offers.length)];
    if (offer === undefined || host.process?.session.isWelcome !== true || host.machine.isSuspended) return false;
    host.process.overhear(offer);
    return true;
  }

  /** Somebody without the key changes an offer: another epoch, another task text. */
  forgeOffer(host: Host, luck: number): boolean {
    const offer = this.#offers.at(-1);
    if (offer === undefined || host.process?.session.isWelcome !== true || host.machine.isSuspended) return false;
    const epoch = offer.epoch + 1 + Math.floor(luck * 3);
    const envelope = offer.envelope
      .replace(`"epoch":${offer.epoch}`, `"epoch":${epoch}`)
      .replace(/"aud":"[^"]*"/, `"aud":"${host.runner}"`);
    host.process.overhear({...offer, epoch, envelope});
    return true;
  }

  /** Everything has ended, everywhere. */
  isAtRest(): boolean {
    if (this.clients.open > 0) return false;
    for (const task of this.fleet.rows.keys()) if (!this.isFinished(task)) return false;
    return this.hosts.every(
      ({machine, isRevoked}) => !isRevoked && machine.isUp && machine.agents.size === 0 && machine.disk.journaled === 0,
    );
  }

  enrol(host: Host): void {
    const {labels} = host.plan;
    this.clients.enrol(host.runner, {x: host.x, labels}, () => {
      host.isRevoked = false;
      this.startProcess(host);
    });
  }

  /** Starts the runner, unless one runs or the machine is down; tries again while the journal cannot be opened. */
  startProcess(host: Host): void {
    const {machine} = host;
    if (!machine.isUp || host.isRevoked || (host.process !== undefined && !host.process.isGone)) return;
    if (machine.isSuspended) {
      machine.after(1, () => this.startProcess(host));
      return;
    }
    try {
      const process = new RunnerProcess(this.#processParts(host));
      process.onSlow = () => this.show(`slowDisk ${machine.parts.index}`);
      process.onDeath = () => this.show(`death ${machine.parts.index}`);
      host.process = process.isGone ? undefined : process;
    } catch {
      machine.after(restartMs * 5, () => this.startProcess(host));
    }
  }

  logOf(task: string): LogObject {
    const known = this.logs.get(task);
    if (known !== undefined) return known;
    const {timeline} = this;
    const log = new LogObject({
      task,
      timeline,
      chance: chanceOf(this.plan.seed, `log ${task}`),
      see: fact => this.see(fact),
    });
    this.logs.set(task, log);
    return log;
  }

  release(): void {
    for (const log of this.logs.values()) log.release();
    this.fleet.sql.close();
  }

  #host(plan: MachinePlan, index: number): Host {
    const {seed} = this.plan;
    const {timeline} = this;
    const line = new Line(timeline, chanceOf(seed, `line ${index}`), kind => this.show(`${kind} ${index}`));
    const chance = chanceOf(seed, `machine ${index}`);
    const see = (fact: Fact): void => this.see(fact);
    const machine = new Machine({index, timeline, chance, line, see, clockRate: plan.clockRate, seed});
    machine.disk.onRefused = () => this.show(`diskFull ${index}`);
    const host: Host = {
      plan,
      machine,
      line,
      ...this.identity(),
      process: undefined,
      isRevoked: false,
      isClockWrong: false,
    };
    machine.onBoot = () => this.startProcess(host);
    return host;
  }

  /** A fresh key and the id that it is enrolled under. */
  identity(): {runner: RunnerId; x: string} {
    const runner = newRunnerId(startMs + this.timeline.nowMs, this.chance.bytes);
    return {runner, x: sealOf('key', runner)};
  }

  #processParts(host: Host): ProcessParts {
    const {machine, line, plan, runner, x} = host;
    return {
      machine,
      runner,
      slots: plan.slots,
      labels: plan.labels,
      onEnd: why => {
        host.process = undefined;
        if (why !== 'revoked') machine.after(restartMs, () => this.startProcess(host));
      },
      dial: (end, opened, failed) =>
        dial({
          line,
          end: awake(machine, end),
          opened,
          failed: why => machine.whenAwake(() => failed(why)),
          doorman: connect => {
            if (host.isClockWrong) {
              host.isClockWrong = false;
              this.show(`clock ${machine.parts.index}`);
              return {refused: 'clock'};
            }
            const id = this.fleet.nextConnection();
            const server = {
              frame: (messages: Parameters<FleetObject['receive']>[1]) => this.fleet.receive(id, messages),
              closed: () => this.fleet.closed(id),
            };
            this.fleet.accept(connect(server, id), {runner, x});
            return undefined;
          },
        }),
      dialLog: (of, end, opened, failed) =>
        dial({
          line,
          end: awake(machine, end),
          opened,
          failed: () => machine.whenAwake(failed),
          doorman: connect => {
            if (of.ticket !== sealOf('ticket', of.task, of.epoch, runner)) return {refused: 'unauthorized'};
            this.#logConnections += 1;
            const id = `log-${this.#logConnections}`;
            const log = this.logOf(of.task);
            const server = {
              frame: (message: string | Uint8Array) => log.receive(id, message),
              closed: () => log.closed(id),
            };
            log.accept(connect(server, id), {epoch: of.epoch, runner});
            return undefined;
          },
        }),
    };
  }
}

/** What arrives at a machine that sleeps is heard when it wakes. */
function awake<Frame>(
  machine: Machine,
  {frame, closed}: {frame: (frame: Frame) => void; closed: (code: number | undefined, why: string) => void},
): {frame: (frame: Frame) => void; closed: (code: number | undefined, why: string) => void} {
  return {
    frame: what => machine.whenAwake(() => frame(what)),
    closed: (code, why) => machine.whenAwake(() => closed(code, why)),
  };
}
