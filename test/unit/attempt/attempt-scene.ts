import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import type {LeaseConfig, Verdict} from '@switchyard/shared/protocol/down.ts';
import {reduce} from '../../../runner/src/attempt/attempt-reducer.ts';
import {attemptKey, type Attempt} from '../../../runner/src/attempt/attempt-state.ts';
import {
  initialState,
  type RunnerEffect,
  type RunnerEvent,
  type RunnerState,
  type WorkAnswer,
} from '../../../runner/src/attempt/runner-state.ts';

export const config: LeaseConfig = {
  ttl_ms: 60_000,
  renew_ms: 15_000,
  grace_ms: 10_000,
  offer_ms: 10_000,
  soft_stop_ms: 15_000,
  hard_kill_ms: 2_000,
};

export const taskA: TaskId = taskIdSchema.parse('tsk_01jd0000000000000000000001');
export const taskB: TaskId = taskIdSchema.parse('tsk_01jd0000000000000000000002');

export const specOf = (input: Partial<TaskSpecInput> = {}): Attempt['spec'] =>
  taskSpecSchema.parse({prompt: 'do it', ...input});

/** Plays events on the reducer as the shell would, and keeps what came out. */
export class Scene {
  now = 1_000;
  state: RunnerState;
  effects: readonly RunnerEffect[] = [];
  readonly all: RunnerEffect[] = [];

  constructor({slots = 2, born}: {slots?: number; born?: RunnerState} = {}) {
    this.state =
      born ?? initialState({attempts: new Map(), maxEpochs: new Map(), config: null, slots, bornBootMs: this.now});
  }

  event(event: RunnerEvent): readonly RunnerEffect[] {
    const {state, effects} = reduce(this.state, event, this.now);
    this.state = state;
    this.effects = effects;
    this.all.push(...effects);
    return effects;
  }

  welcome(verdicts: readonly Verdict[] = [], echo = this.now): readonly RunnerEffect[] {
    return this.event({
      kind: 'welcome',
      welcome: {
        t: 'welcome',
        session: 'session-1',
        protocol: 1,
        server_time_ms: 0,
        config,
        verdicts: [...verdicts],
        echo,
      },
    });
  }

  offer(task: TaskId = taskA, epoch = 1, spec = specOf()): readonly RunnerEffect[] {
    const plan = {task, epoch, spec, branch: `switchyard/${task}/e${epoch}`};
    return this.event({kind: 'offer', offer: {task, epoch}, check: {ok: true, plan}});
  }

  go(task: TaskId = taskA, epoch = 1, echo = this.now): readonly RunnerEffect[] {
    return this.event({kind: 'message', message: {t: 'go', task, epoch, echo, log_ticket: 'ticket'}});
  }

  renewed(echo = this.now, items = [{task: taskA, epoch: 1}]): readonly RunnerEffect[] {
    return this.event({kind: 'message', message: {t: 'renewed', items, echo}});
  }

  answer(answer: WorkAnswer, task: TaskId = taskA, epoch = 1): readonly RunnerEffect[] {
    return this.event({kind: 'answer', of: {task, epoch}, answer});
  }

  tick(afterMs = 0): readonly RunnerEffect[] {
    this.now += afterMs;
    return this.event({kind: 'tick'});
  }

  attempt(task: TaskId = taskA, epoch = 1): Attempt | undefined {
    return this.state.attempts.get(attemptKey({task, epoch}));
  }

  kinds(): readonly string[] {
    return this.effects.map(effect => (effect.kind === 'send' ? effect.message.t : effect.kind));
  }

  /** Offer, accept, go, prepare and run: an agent at work. */
  running(spec = specOf()): this {
    this.welcome();
    this.offer(taskA, 1, spec);
    this.go();
    this.answer({verb: 'prepare', result: null});
    return this;
  }

  /** Through the end of the agent, to an exit that waits for its acknowledgement. */
  reported(): this {
    this.running();
    this.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'done', result: null}});
    this.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
    this.answer({verb: 'seal', sealed: {length: 3, sha256: 'a'.repeat(64), receipt: 'receipt', dropped: 0}});
    this.answer({verb: 'sign', record: 'signed'});
    return this;
  }
}
