import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {attemptKey, attemptSchema, type Attempt} from '../../../runner/src/attempt/attempt-state.ts';
import type {RunnerEffect, RunnerEvent, WorkAnswer} from '../../../runner/src/attempt/runner-state.ts';
import {config, Scene, specOf, taskA, taskB} from './attempt-scene.ts';

const slots = 2;
const working: ReadonlySet<string> = new Set(['preparing', 'running', 'finishing', 'stopping']);

type Move =
  | {readonly kind: 'event'; readonly event: (scene: Scene) => RunnerEvent}
  | {readonly kind: 'events'; readonly events: (scene: Scene) => readonly RunnerEvent[]}
  | {readonly kind: 'wait'; readonly ms: number}
  /** Sleep of the machine: time passes and nobody looks. */
  | {readonly kind: 'sleep'; readonly ms: number}
  | {readonly kind: 'restart'; readonly sameBoot: boolean};

const task = fc.constantFrom<TaskId[]>(taskA, taskB);
const epoch = fc.integer({min: 1, max: 3});
const of = fc.record({task, epoch});
const event = <Value>(
  arbitrary: fc.Arbitrary<Value>,
  make: (value: Value, scene: Scene) => RunnerEvent,
): fc.Arbitrary<Move> => arbitrary.map(value => ({kind: 'event', event: scene => make(value, scene)}));

/** Mostly an echo that could be right, sometimes one that cannot. */
const echo = fc.oneof({weight: 4, arbitrary: fc.constant(0)}, fc.integer({min: -5_000, max: 90_000}));
const result: AttemptResult = {kind: 'succeeded'};
const answers: readonly WorkAnswer[] = [
  {verb: 'prepare', result: null},
  {verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}},
  {verb: 'finish', completion: {result, git: null}},
  {verb: 'stop'},
  {verb: 'kill'},
  {verb: 'clean'},
  {verb: 'seal', sealed: {length: 0, sha256: 'a'.repeat(64), receipt: null, dropped: 0}},
  {verb: 'sign', record: 'signed'},
  ...(['prepare', 'run', 'finish', 'stop', 'kill', 'clean', 'seal', 'sign'] as const).map((verb): WorkAnswer => ({
    verb: 'failed',
    of: verb,
    failure: {code: 'git_failed', detail: 'x', retryable: true},
  })),
];

/** What hands that work would answer for an attempt in this state. */
const goodAnswers: Partial<Record<Attempt['state'], readonly WorkAnswer[]>> = {
  preparing: [{verb: 'prepare', result: null}],
  running: [{verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}}],
  finishing: [{verb: 'finish', completion: {result, git: null}}],
  stopping: [{verb: 'stop'}],
  exited: [
    {verb: 'seal', sealed: {length: 0, sha256: 'a'.repeat(64), receipt: null, dropped: 0}},
    {verb: 'sign', record: 'signed'},
  ],
  fenced: [{verb: 'kill'}, {verb: 'clean'}],
};

const serve = fc.nat({max: 3}).map((index): Move => ({
  kind: 'events',
  events: scene => {
    const attempt = [...scene.state.attempts.values()][index];
    if (attempt === undefined) return [];
    const ref = {task: attempt.task, epoch: attempt.epoch};
    return (goodAnswers[attempt.state] ?? []).map(answer => ({kind: 'answer', of: ref, answer}));
  },
}));

/** An offer and its go, as they come when nothing goes wrong. */
const begin = of.map((ref): Move => ({
  kind: 'events',
  events: scene => [
    {kind: 'offer', offer: ref, check: {ok: true, plan: {...ref, spec: specOf(), branch: 'b'}}},
    {kind: 'message', message: {t: 'go', ...ref, echo: scene.now, log_ticket: 't'}},
  ],
}));

const move: fc.Arbitrary<Move> = fc.oneof(
  {weight: 12, arbitrary: serve},
  {weight: 8, arbitrary: begin},
  {
    weight: 6,
    arbitrary: event(of, ref => ({
      kind: 'offer',
      offer: ref,
      check: {ok: true, plan: {...ref, spec: specOf(), branch: 'b'}},
    })),
  },
  {
    weight: 6,
    arbitrary: event(fc.record({of, echo}), ({of: ref, echo: back}, scene) => ({
      kind: 'message',
      message: {t: 'go', ...ref, echo: scene.now - back, log_ticket: 't'},
    })),
  },
  {
    weight: 10,
    arbitrary: event(fc.record({of, answer: fc.constantFrom(...answers)}), value => ({kind: 'answer', ...value})),
  },
  {
    weight: 4,
    arbitrary: event(fc.record({of, echo}), ({of: ref, echo: back}, scene) => ({
      kind: 'message',
      message: {t: 'renewed', items: [ref], echo: scene.now - back},
    })),
  },
  event(of, ref => ({kind: 'message', message: {t: 'gone', ...ref, why: 'gone'}})),
  event(of, ref => ({kind: 'message', message: {t: 'cancel', ...ref, grace_ms: 1_000, reason: 'r'}})),
  event(of, ref => ({kind: 'message', message: {t: 'exit_ack', ...ref}})),
  event(of, ref => ({kind: 'message', message: {t: 'exit_nack', ...ref, why: 'log_incomplete'}})),
  event(of, ref => ({kind: 'message', message: {t: 'input', ...ref, seq: 1, data: 'x'}})),
  event(fc.constantFrom('drain' as const, 'resume' as const), t => ({kind: 'message', message: {t}})),
  {
    weight: 3,
    arbitrary: event(
      fc.record({
        verdicts: fc.array(fc.record({task, epoch, verdict: fc.constantFrom('keep', 'kill', 'send_exit', 'forget')}), {
          maxLength: 4,
        }),
        echo,
      }),
      ({verdicts, echo: back}, scene) => ({
        kind: 'welcome',
        welcome: {
          t: 'welcome',
          session: 'session-1',
          protocol: 1,
          server_time_ms: 0,
          config,
          verdicts: verdicts.map(verdict => ({...verdict})),
          echo: scene.now - back,
        },
      }),
    ),
  },
  fc.constant<Move>({kind: 'event', event: () => ({kind: 'disconnected'})}),
  {weight: 4, arbitrary: fc.integer({min: 1, max: 20_000}).map((ms): Move => ({kind: 'wait', ms}))},
  fc.integer({min: 1, max: 200_000}).map((ms): Move => ({kind: 'sleep', ms})),
  fc.boolean().map((sameBoot): Move => ({kind: 'restart', sameBoot})),
);

/** Watches a scene from outside and holds it to the laws. */
class Judge {
  readonly #begun = new Map<string, number[]>();
  readonly #fenced = new Set<string>();

  check(before: ReadonlyMap<string, Attempt>, scene: Scene, cause: RunnerEvent): void {
    for (const attempt of scene.state.attempts.values()) {
      this.#starts(before.get(attemptKey(attempt)), attempt, cause);
      this.#lease(attempt, scene);
      if (attempt.state === 'fenced') this.#fenced.add(attemptKey(attempt));
    }
    for (const effect of scene.effects) this.#effect(effect, scene);
    const named = [...scene.state.attempts.values()].filter(({state}) => state !== 'fenced');
    assert(named.length <= slots, 'more attempts than slots');
  }

  #starts(was: Attempt | undefined, is: Attempt, cause: RunnerEvent): void {
    if (is.state !== 'preparing' || was?.state === 'preparing') return;
    assert.equal(was?.state, 'accepted');
    assert(cause.kind === 'message' && cause.message.t === 'go', `${cause.kind} started an attempt`);
    assert.deepEqual([cause.message.task, cause.message.epoch], [is.task, is.epoch]);
    const earlier = this.#begun.get(is.task) ?? [];
    assert(Math.max(0, ...earlier) < is.epoch, `epoch ${is.epoch} began after ${earlier.join()}`);
    this.#begun.set(is.task, [...earlier, is.epoch]);
  }

  #lease({state, deadlineBootMs}: Attempt, scene: Scene): void {
    if (deadlineBootMs === null || !working.has(state)) return;
    assert(scene.now < deadlineBootMs - config.hard_kill_ms, `${state} past the hard kill`);
    const echoed = deadlineBootMs - config.ttl_ms;
    assert(echoed <= scene.now && echoed >= 0, `a deadline from an echo that was never sent: ${echoed}`);
  }

  #effect(effect: RunnerEffect, scene: Scene): void {
    if (effect.kind === 'prepare' || effect.kind === 'run' || effect.kind === 'finish') {
      assert(this.#begun.get(effect.plan.task)?.includes(effect.plan.epoch), `${effect.kind} without a go`);
      const deadline = scene.state.attempts.get(attemptKey(effect.plan))?.deadlineBootMs ?? 0;
      assert(scene.now < deadline - config.hard_kill_ms, `${effect.kind} past the hard kill`);
    }
    if (effect.kind === 'send' && effect.message.t === 'exit')
      assert(!this.#fenced.has(attemptKey(effect.message)), 'a fenced attempt reported');
  }
}

function restarted(scene: Scene, sameBoot: boolean): Scene {
  const attempts = new Map(
    [...scene.state.attempts].map(([key, attempt]) => [key, attemptSchema.parse(JSON.parse(JSON.stringify(attempt)))]),
  );
  const now = sameBoot ? scene.now + 500 : 100;
  const {maxEpochs, config: known} = scene.state;
  const next = new Scene({
    born: {
      attempts,
      maxEpochs,
      config: known,
      slots,
      bornBootMs: now,
      isConnected: false,
      isDrainedHere: false,
      isDrainedThere: false,
      nextRenewBootMs: null,
    },
  });
  next.now = now;
  return next;
}

function play(moves: readonly Move[]): Scene {
  const judge = new Judge();
  let scene = new Scene({slots});
  const happen = (cause: RunnerEvent): void => {
    const before = scene.state.attempts;
    scene.event(cause);
    judge.check(before, scene, cause);
  };
  scene.welcome();
  for (const each of moves) {
    if (each.kind === 'sleep') scene.now += each.ms;
    else if (each.kind === 'event') happen(each.event(scene));
    else if (each.kind === 'events') for (const cause of each.events(scene)) happen(cause);
    else if (each.kind === 'wait') {
      scene.now += each.ms;
      happen({kind: 'tick'});
    } else {
      scene = restarted(scene, each.sameBoot);
      happen({kind: 'restored', sameBoot: each.sameBoot});
    }
  }
  return scene;
}

test('[RN23] Whatever the order, loss and repetition of messages, the laws of the lease hold', () => {
  fc.assert(
    fc.property(fc.array(move, {maxLength: 80}), moves => {
      play(moves);
    }),
    {numRuns: 3_000},
  );
});

/** A server that has lost interest and hands that do what they are asked: everything must end. */
function settle(scene: Scene): void {
  for (const attempt of scene.state.attempts.values())
    scene.event({kind: 'message', message: {t: 'gone', task: attempt.task, epoch: attempt.epoch, why: 'over'}});
  for (let rounds = 0; rounds < 5 && scene.state.attempts.size > 0; rounds += 1) {
    for (const attempt of scene.state.attempts.values()) {
      const ref = {task: attempt.task, epoch: attempt.epoch};
      scene.event({kind: 'answer', of: ref, answer: {verb: 'kill'}});
      scene.event({kind: 'answer', of: ref, answer: {verb: 'clean'}});
    }
    scene.tick(60_000);
  }
}

test('[RN23] Whatever happened, in the end nothing is held', () => {
  fc.assert(
    fc.property(fc.array(move, {maxLength: 60}), moves => {
      const scene = play(moves);
      settle(scene);
      expect([...scene.state.attempts.keys()]).toEqual([]);
    }),
    {numRuns: 1_000},
  );
});

/** The hands of a good machine: every call of a verb is answered, in order, and every offer gets its go. */
test('[RN23] With a server that answers, every accepted offer ends in an acknowledged exit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('lose' as const, 'pass' as const, 'repeat' as const), {minLength: 10, maxLength: 60}),
      fates => {
        const scene = new Scene();
        scene.welcome();
        scene.offer();
        let exits = 0;
        const left = [...fates];
        const timesOf = (effect: RunnerEffect): number =>
          effect.kind === 'send' || effect.kind === 'renew' ? {lose: 0, pass: 1, repeat: 2}[left.shift() ?? 'pass'] : 1;
        const pending: RunnerEffect[] = [...scene.effects];
        for (let turns = 0; turns < 400 && scene.state.attempts.size > 0; turns += 1) {
          const effect = pending.shift();
          if (effect === undefined) {
            scene.tick(5_000);
            pending.push(...scene.effects);
            continue;
          }
          const times = timesOf(effect);
          for (let time = 0; time < times; time += 1) {
            if (effect.kind === 'send' && effect.message.t === 'exit') exits += 1;
            for (const reply of repliesTo(effect)) pending.push(...scene.event(reply));
          }
        }
        expect(scene.state.attempts.size).toBe(0);
        // A lease that could not be renewed for too long is fenced, and then there is nothing to acknowledge.
        const isFenced = scene.all.some(({kind}) => kind === 'kill');
        expect([exits > 0, isFenced, !scene.state.maxEpochs.has(taskA)]).toContain(true);
      },
    ),
    {numRuns: 500},
  );
});

function repliesTo(effect: RunnerEffect): readonly RunnerEvent[] {
  const ref = {task: taskA, epoch: 1};
  const answer = (value: WorkAnswer): readonly RunnerEvent[] => [{kind: 'answer', of: ref, answer: value}];
  switch (effect.kind) {
    case 'send':
      if (effect.message.t === 'accept')
        return [{kind: 'message', message: {t: 'go', ...ref, echo: effect.message.ts, log_ticket: 't'}}];
      return effect.message.t === 'exit' ? [{kind: 'message', message: {t: 'exit_ack', ...ref}}] : [];
    case 'renew':
      return [
        {
          kind: 'message',
          message: {
            t: 'renewed',
            items: effect.items.map(item => ({task: item.task, epoch: item.epoch})),
            echo: effect.ts,
          },
        },
      ];
    case 'prepare':
      return answer({verb: 'prepare', result: null});
    case 'run':
      return answer({verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}});
    case 'finish':
      return answer({verb: 'finish', completion: {result, git: null}});
    case 'seal':
      return answer({verb: 'seal', sealed: {length: 0, sha256: 'a'.repeat(64), receipt: null, dropped: 0}});
    case 'sign':
      return answer({verb: 'sign', record: 'signed'});
    case 'stop':
    case 'kill':
    case 'clean':
      return answer({verb: effect.kind});
    case 'extend':
    case 'input':
    case 'warn':
    case 'phase':
    case 'notice':
    case 'refused':
      return [];
  }
}
