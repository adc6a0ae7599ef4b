import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';
import type {AttemptRef, WorkVerb} from '../../../runner/src/attempt/attempt-state.ts';
import type {AgentEnd, AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import type {RunnerEffect, WorkAnswer} from '../../../runner/src/attempt/runner-state.ts';
import {failureOf} from '../../../runner/src/attempt/work-calls.ts';
import type {LogEnd} from '../../../runner/src/logs/log-spool.ts';
import type {UploadState} from '../../../runner/src/logs/log-upload.ts';
import type {LogConnection} from '../control-plane/log-object.ts';
import {keyOf, type AttemptOf} from '../kernel/fact.ts';
import type {End} from '../network/connection.ts';
import {secrets, scriptOf} from './agent-script.ts';
import {RunDirectory} from './disk.ts';
import type {Machine} from './machine.ts';
import {isFinal, killTree, startShim, statusOf} from './shim.ts';
import {Spool} from './spool.ts';
import {Upload} from './upload.ts';
import {VerbCalls, type Call} from './verb-calls.ts';

type WorkEffect = Extract<
  RunnerEffect,
  {kind: 'prepare' | 'run' | 'finish' | 'stop' | 'kill' | 'seal' | 'clean' | 'extend' | 'input'}
>;

export type HandsParts = {
  readonly machine: Machine;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly answer: (of: AttemptRef, answer: WorkAnswer) => void;
  readonly inputDone: (of: AttemptRef, seq: number, delivered: boolean) => void;
  readonly dialLog: (
    of: AttemptOf & {readonly ticket: string},
    end: End<LogDown>,
    opened: (connection: LogConnection) => void,
    failed: () => void,
  ) => void;
};

type Held = {
  readonly directory: RunDirectory;
  deadline: {softMs: number; hardMs: number};
  spool: Spool | undefined;
  upload: Upload | undefined;
  outcome: UploadState | undefined;
  onOutcome: () => void;
  onChange: () => void;
};

const launchMaxMs = 10_000;
const stopPollMs = 50;
const finishRetryMs = 1_000;
const finishMaxMs = 30_000;
const fullRetryMs = 1_000;

/** What the work port does on this machine, as `HostWork` does it, without files, git or promises. */
export class Hands {
  readonly #parts: HandsParts;
  readonly #calls: VerbCalls;
  readonly #held = new Map<string, Held>();
  /** A fault: the process dies in the middle of its next write to a log. */
  diesInStore: (() => void) | undefined;

  constructor(parts: HandsParts) {
    this.#parts = parts;
    const {machine, after, answer} = parts;
    this.#calls = new VerbCalls({after, answer, settleMs: () => machine.parts.chance.between(0, 300)});
    machine.onChange = directory => this.#held.get(keyOf(directory))?.onChange();
  }

  perform(effect: WorkEffect): void {
    const {plan} = effect;
    switch (effect.kind) {
      case 'prepare':
        this.#begin('prepare', plan, (call, done) => this.#prepare(plan, call, done));
        return;
      case 'run':
        this.#begin('run', plan, (call, done) => this.#run(plan, call, done));
        return;
      case 'finish':
        this.#begin('finish', plan, (call, done) => this.#finish(plan, effect.end, {call, done}));
        return;
      case 'seal':
        this.#begin('seal', plan, (call, done) => this.#seal(plan, effect.line, {call, done}));
        return;
      case 'stop':
        this.#begin('stop', plan, (_call, done) => this.#stopVerb(plan, effect.graceMs, done));
        return;
      case 'kill':
        this.#begin('kill', plan, (_call, done) => this.#kill(plan, done));
        return;
      case 'clean':
        this.#begin('clean', plan, (_call, done) => this.#clean(plan, done));
        return;
      case 'extend':
        this.#extend(effect);
        return;
      case 'input':
        this.#input(plan, effect.seq);
        return;
    }
  }

  spoolLength(plan: AttemptPlan): number {
    return this.#held.get(keyOf(plan))?.spool?.length ?? 0;
  }

  /** The process is gone. */
  vanish(isNoticed: boolean): void {
    for (const {upload} of this.#held.values()) upload?.abandon(isNoticed);
    this.#parts.machine.onChange = () => undefined;
  }

  cutLogs(how: 'both' | 'late'): boolean {
    return [...this.#held.values()].map(({upload}) => upload?.cut(how) ?? false).includes(true);
  }

  #begin(verb: WorkVerb, plan: AttemptPlan, body: (call: Call, done: (answer: WorkAnswer) => void) => void): void {
    this.#calls.start(verb, plan, (call, done) =>
      // The call begins in a later turn, when its entry exists.
      this.#parts.after(0, () => {
        try {
          body(call, done);
        } catch (error) {
          done({verb: 'failed', of: verb, failure: failureOf(error)});
        }
      }),
    );
  }

  #prepare(plan: AttemptPlan, call: Call, done: (answer: WorkAnswer) => void): void {
    const held = this.#log(plan);
    held.spool?.note('preparing');
    const {prepareMs, prepareFails} = this.#script(plan);
    this.#parts.after(prepareMs, () => {
      if (call.isAborted) return;
      if (prepareFails === 'not') done({verb: 'prepare', result: null});
      else {
        const code = prepareFails === 'final' ? 'base_not_found' : 'unavailable';
        done({verb: 'failed', of: 'prepare', failure: failureOf(new SwitchyardError(code, 'as its script says'))});
      }
    });
  }

  #run(plan: AttemptPlan, call: Call, done: (answer: WorkAnswer) => void): void {
    if (call.isAborted) return;
    const {machine} = this.#parts;
    const held = this.#log(plan);
    const {directory} = held;
    if (statusOf(machine, directory) === 'absent') {
      held.spool?.note('starting the agent');
      machine.disk.needRoom('the run directory');
      directory.hasMeta = true;
      directory.deadline = {...held.deadline};
      startShim(machine, directory, plan.spec.title ?? '');
    }
    this.#untilBegun(plan, call, {
      waitedMs: 0,
      begun: () => this.#pump(held, call, () => done({verb: 'run', end: this.#agentEnd(directory)})),
      late: () => {
        const error = new SwitchyardError('executor_unavailable', 'the shim did not begin');
        done({verb: 'failed', of: 'run', failure: failureOf(error)});
      },
    });
  }

  #untilBegun(plan: AttemptPlan, call: Call, how: {waitedMs: number; begun: () => void; late: () => void}): void {
    const {machine, after} = this.#parts;
    const directory = machine.directoryOf(plan);
    const status = statusOf(machine, directory);
    if (call.isAborted) return;
    if (status !== 'absent' && status !== 'claimed') how.begun();
    else if (how.waitedMs >= launchMaxMs) how.late();
    else {
      // A claim whose shim never came to its identity is taken back after five seconds.
      if (status === 'claimed' && how.waitedMs >= 5_000 && directory?.go === 'open') directory.go = 'void';
      after(25, () => this.#untilBegun(plan, call, {...how, waitedMs: how.waitedMs + 25}));
    }
  }

  /** Moves what the agent prints into the log, in pieces of any size, until the agent has ended and all is there. */
  #pump(held: Held, call: Call, ended: () => void): void {
    const {machine, after} = this.#parts;
    const {chance} = machine.parts;
    const {directory, spool} = held;
    if (spool === undefined) throw new Error('a stream is read for a log that is not open');
    let offset = spool.readFrom();
    let isScheduled = false;
    const later = (delayMs: number): void => {
      if (isScheduled) return;
      isScheduled = true;
      after(delayMs, () => {
        isScheduled = false;
        step();
      });
    };
    const step = (): void => {
      if (call.isAborted) return;
      const unread = directory.out.length - offset;
      if (unread > 0) {
        const length = unread > 4_000 || chance.isLuck(0.6) ? unread : chance.between(1, unread);
        if (spool.append(new Uint8Array(directory.out.slice(offset, offset + length))) === 'full') later(fullRetryMs);
        else {
          offset += length;
          later(chance.between(1, 10));
        }
        return;
      }
      if (isFinal(statusOf(machine, directory))) {
        spool.endStream();
        ended();
        return;
      }
      if (chance.isLuck(0.3)) spool.flushOpenLine();
    };
    held.onChange = () => later(chance.between(1, 10));
    step();
    // An agent that was lost says nothing any more.
    const watch = (): void => {
      if (call.isAborted || call.isSettled) return;
      later(1);
      after(2_000, watch);
    };
    if (isFinal(statusOf(machine, directory))) later(1);
    else after(2_000, watch);
  }

  #agentEnd(directory: RunDirectory): AgentEnd {
    const status = statusOf(this.#parts.machine, directory);
    const {exit} = directory;
    if (status === 'lost')
      return {
        exitCode: null,
        signal: 'SIGKILL',
        summary: null,
        result: {kind: 'failed', code: 'agent_failed', detail: 'the agent was lost', retryable: true},
      };
    const isKilled = status === 'killed';
    return {
      exitCode: exit?.code ?? null,
      signal: isKilled ? 'SIGKILL' : (exit?.signal ?? null),
      summary: 'done',
      result: null,
    };
  }

  #finish(plan: AttemptPlan, end: AgentEnd, {call, done}: {call: Call; done: (answer: WorkAnswer) => void}): void {
    const held = this.#log(plan);
    this.#parts.after(this.#script(plan).finishMs, () => {
      if (call.isAborted) return;
      const isGood = end.result === null && end.exitCode === 0;
      if (!isGood) held.spool?.note('agent_failed');
      const failed = {kind: 'failed', code: 'agent_failed', detail: 'it broke', retryable: true} as const;
      done({
        verb: 'finish',
        completion: {
          result: end.result ?? (isGood ? {kind: 'succeeded', summary: end.summary ?? ''} : failed),
          git: null,
        },
      });
    });
  }

  #seal(plan: AttemptPlan, line: string, {call, done}: {call: Call; done: (answer: WorkAnswer) => void}): void {
    const held = this.#log(plan);
    held.spool?.note(line);
    this.#closeLog(held, call, {
      waitedMs: 0,
      closed: end => {
        held.upload?.end(end);
        const settle = (): void => {
          const {outcome} = held;
          if (outcome === undefined || call.isAborted) return;
          if (outcome.phase === 'sealed') {
            const {length, sha256, droppedBytes: dropped} = end;
            done({verb: 'seal', sealed: {length, sha256, receipt: outcome.receipt ?? '', dropped}});
            return;
          }
          const code = outcome.phase === 'gone' ? 'lease_lost' : 'state_corrupt';
          done({verb: 'failed', of: 'seal', failure: failureOf(new SwitchyardError(code, outcome.why ?? ''))});
        };
        held.onOutcome = settle;
        settle();
      },
    });
  }

  #closeLog(held: Held, call: Call, how: {waitedMs: number; closed: (end: LogEnd) => void}): void {
    if (call.isAborted || held.spool === undefined) return;
    const end = how.waitedMs < finishMaxMs ? held.spool.finish() : held.spool.giveUp();
    if (end !== undefined) how.closed(end);
    else
      this.#parts.after(finishRetryMs, () =>
        this.#closeLog(held, call, {...how, waitedMs: how.waitedMs + finishRetryMs}),
      );
  }

  #stopVerb(plan: AttemptPlan, graceMs: number, done: (answer: WorkAnswer) => void): void {
    const calls = this.#calls;
    calls.whenSettled(calls.abort(plan, ['prepare', 'finish']), () =>
      this.#stop(plan, graceMs, () =>
        calls.whenSettled(calls.under(plan, ['run']), () =>
          calls.whenSettled(calls.abort(plan, ['run']), () => done({verb: 'stop'})),
        ),
      ),
    );
  }

  #kill(plan: AttemptPlan, done: (answer: WorkAnswer) => void): void {
    const calls = this.#calls;
    const interrupted = calls.abort(plan, ['prepare', 'run', 'finish', 'seal', 'stop']);
    this.#stop(plan, 0, () => {
      if (interrupted.length === 0) done({verb: 'kill'});
      else calls.whenSettled(interrupted, () => this.#stop(plan, 0, () => done({verb: 'kill'})));
    });
  }

  #clean(plan: AttemptPlan, done: (answer: WorkAnswer) => void): void {
    const {machine} = this.#parts;
    const calls = this.#calls;
    calls.whenSettled(calls.abort(plan, ['prepare', 'run', 'finish', 'seal', 'stop']), () =>
      this.#stop(plan, 0, () => {
        const key = keyOf(plan);
        this.#held.get(key)?.upload?.abandon(true);
        this.#held.delete(key);
        machine.disk.directories.delete(key);
        const {task, epoch} = plan;
        machine.parts.see({t: 'collected', machine: machine.parts.index, task, epoch});
        done({verb: 'clean'});
      }),
    );
  }

  /** SIGTERM, grace, SIGKILL; continues when no process is left. */
  #stop(plan: AttemptPlan, graceMs: number, stopped: () => void): void {
    const {machine, after} = this.#parts;
    const directory = machine.directoryOf(plan);
    const kill = (): void => {
      if (directory === undefined || !directory.hasMeta) {
        stopped();
        return;
      }
      killTree(machine, directory);
      const untilDead = (): void => {
        if (machine.agents.has(keyOf(plan)) || statusOf(machine, directory) === 'running') after(10, untilDead);
        else stopped();
      };
      untilDead();
    };
    const status = statusOf(machine, directory);
    if (status === 'absent' || isFinal(status) || graceMs <= 0) {
      kill();
      return;
    }
    machine.agents.get(keyOf(plan))?.terminate();
    const wait = (waitedMs: number): void => {
      if (waitedMs >= graceMs || isFinal(statusOf(machine, directory))) kill();
      else after(stopPollMs * 4, () => wait(waitedMs + stopPollMs * 4));
    };
    wait(0);
  }

  #extend({plan, softBootMs, hardBootMs}: Extract<WorkEffect, {kind: 'extend'}>): void {
    const {machine} = this.#parts;
    const held = this.#hold(plan);
    held.deadline = {softMs: Math.floor(softBootMs), hardMs: Math.floor(hardBootMs)};
    const status = statusOf(machine, held.directory);
    // The old deadline stands when the disk takes no new one.
    if ((status !== 'running' && status !== 'claimed') || machine.disk.isFull) return;
    held.directory.deadline = {...held.deadline};
    machine.agents.get(keyOf(plan))?.look();
  }

  #input(plan: AttemptPlan, seq: number): void {
    const {machine, after, inputDone} = this.#parts;
    const {task, epoch} = plan;
    const wait = (waitedMs: number): void => {
      const status = statusOf(machine, machine.directoryOf(plan));
      if ((status === 'absent' || status === 'claimed') && waitedMs < 60_000) {
        after(stopPollMs, () => wait(waitedMs + stopPollMs));
        return;
      }
      const agent = machine.agents.get(keyOf(plan));
      agent?.heard.push(seq);
      inputDone({task, epoch}, seq, agent !== undefined);
    };
    after(1, () => wait(0));
  }

  #script(plan: AttemptPlan): ReturnType<typeof scriptOf> {
    return scriptOf(this.#parts.machine.parts.seed, plan.spec.title ?? '', plan.epoch);
  }

  #hold(plan: AttemptPlan): Held {
    const key = keyOf(plan);
    const known = this.#held.get(key);
    if (known !== undefined) return known;
    const {disk} = this.#parts.machine;
    const directory = disk.directories.get(key) ?? new RunDirectory(plan.task, plan.epoch);
    const held: Held = {
      directory,
      deadline: {softMs: 0, hardMs: 0},
      spool: undefined,
      upload: undefined,
      outcome: undefined,
      onOutcome: () => undefined,
      onChange: () => undefined,
    };
    this.#held.set(key, held);
    return held;
  }

  /** The log of the attempt, and with it its run directory. Throws what opening throws; the next verb tries again. */
  #log(plan: AttemptPlan): Held {
    const {machine, after, dialLog} = this.#parts;
    const held = this.#hold(plan);
    if (held.spool !== undefined) return held;
    const {parts, disk} = machine;
    const {task, epoch} = plan;
    disk.needRoom('the run directory');
    disk.directories.set(keyOf(plan), held.directory);
    const spool = new Spool(held.directory, disk, secrets, () => this.diesInStore);
    held.spool = spool;
    held.upload = new Upload({
      of: {task, epoch},
      machine: parts.index,
      spool,
      nowMs: () => machine.bootMs(),
      random: parts.chance.next,
      after,
      dial: (end, opened, failed) => dialLog({task, epoch, ticket: plan.logTicket}, end, opened, failed),
      see: parts.see,
      over: state => {
        held.outcome = state;
        held.onOutcome();
      },
    });
    held.upload.start();
    return held;
  }
}
