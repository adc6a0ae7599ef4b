import {describe, expect, test} from 'vitest';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {exitRecordSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {exitRecordOf} from '../../../runner/src/attempt/exit-facts.ts';
import {journalChange} from '../../../runner/src/attempt/journal-change.ts';
import {nextWakeBootMs} from '../../../runner/src/attempt/clock-rules.ts';
import {attemptSchema, newAttempt} from '../../../runner/src/attempt/attempt-state.ts';
import type {RunnerState} from '../../../runner/src/attempt/runner-state.ts';
import {config, Scene, specOf, taskA, taskB} from './attempt-scene.ts';

const sent = (scene: Scene, t: string): readonly object[] =>
  scene.effects.flatMap(effect => (effect.kind === 'send' && effect.message.t === t ? [effect.message] : []));

const restart = (scene: Scene, {sameBoot = true, now = scene.now}: {sameBoot?: boolean; now?: number} = {}): Scene => {
  const attempts = new Map(
    [...scene.state.attempts].map(([key, attempt]) => [key, attemptSchema.parse(JSON.parse(JSON.stringify(attempt)))]),
  );
  const born: RunnerState = {
    ...scene.state,
    attempts,
    isConnected: false,
    nextRenewBootMs: null,
    isDrainedHere: false,
    bornBootMs: now,
  };
  const next = new Scene({born});
  next.now = now;
  next.event({kind: 'restored', sameBoot});
  return next;
};

/** The agent has ended and its log is being sealed. */
const sealing = (): Scene => {
  const scene = new Scene().running();
  scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'done', result: null}});
  scene.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
  return scene;
};

/** The exit was refused because the server lacks a part of the log. */
const sealingAgain = (): Scene => {
  const scene = new Scene().reported();
  scene.event({kind: 'message', message: {t: 'exit_nack', task: taskA, epoch: 1, why: 'log_incomplete'}});
  scene.tick(1_000);
  return scene;
};

describe('starting', () => {
  test('[RN1] An offer leads to an accept and to nothing else, go leads to prepare', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    expect(scene.kinds()).toEqual(['accept']);
    scene.go();
    expect(scene.kinds()).toEqual(['extend', 'prepare', 'phase']);
  });

  test('[RN1] A go for an attempt that was never accepted starts nothing', () => {
    const scene = new Scene();
    scene.welcome();
    scene.go();
    expect(scene.kinds()).toEqual(['refused']);
  });

  test('[RN2] A second go, and a second offer of an epoch that began, start nothing', () => {
    const scene = new Scene().running();
    scene.go();
    expect(scene.kinds()).toEqual(['refused']);
    scene.offer();
    expect(scene.kinds()).toEqual(['refused']);
  });

  test('[RN2] An epoch that began here before is rejected even after it is gone', () => {
    const scene = new Scene().reported();
    scene.event({kind: 'message', message: {t: 'exit_ack', task: taskA, epoch: 1}});
    scene.answer({verb: 'clean'});
    expect(scene.state.attempts.size).toBe(0);
    scene.offer();
    expect(sent(scene, 'reject')).toMatchObject([{code: 'bad_envelope', retryable: true}]);
    scene.offer(taskA, 2);
    expect(scene.kinds()).toEqual(['accept']);
  });

  test('[RN2] A go for an epoch that the journal knows as begun starts nothing, whatever was accepted', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    scene.state = {...scene.state, maxEpochs: new Map([[taskA, 1]])};
    scene.go();
    expect(scene.kinds()).toEqual([]);
    expect(scene.state.attempts.size).toBe(0);
  });

  test('[RN3] The change that carries the epoch belongs to the same step as the call to prepare', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    const before = scene.state;
    scene.go();
    expect(scene.kinds()).toContain('prepare');
    expect(journalChange(before, scene.state)).toMatchObject({
      epochs: [{task: taskA, epoch: 1}],
      save: [{state: 'preparing'}],
    });
  });

  test('[RN16] A newer epoch waits until the older one is dead', () => {
    const scene = new Scene().running();
    scene.offer(taskA, 2);
    scene.go(taskA, 2);
    expect(scene.kinds()).toEqual(['kill', 'phase']);
    expect(scene.attempt(taskA, 1)?.state).toBe('fenced');
    scene.answer({verb: 'kill'}, taskA, 1);
    expect(scene.kinds()).toEqual(['clean', 'extend', 'prepare']);
  });

  test('[RN16] While it waits for the older one no time of its own runs', () => {
    const scene = new Scene().running();
    scene.offer(taskA, 2);
    scene.go(taskA, 2);
    for (let waitedMs = 0; waitedMs < 3_600_000; waitedMs += config.renew_ms) {
      scene.now += config.renew_ms;
      scene.renewed(scene.now, [{task: taskA, epoch: 2}]);
    }
    expect(scene.attempt(taskA, 2)?.state).toBe('preparing');
    scene.answer({verb: 'kill'}, taskA, 1);
    expect(scene.kinds()).toContain('prepare');
    const begun = scene.now;
    const elapses = (ms: number): void => {
      while (scene.now < begun + ms) {
        scene.now += config.renew_ms;
        scene.renewed(scene.now, [{task: taskA, epoch: 2}]);
      }
    };
    elapses(29 * 60_000);
    expect(scene.attempt(taskA, 2)?.state).toBe('preparing');
    elapses(30 * 60_000);
    expect(scene.attempt(taskA, 2)).toMatchObject({state: 'stopping', result: {kind: 'failed'}});
  });

  test('[PV25] An attempt begins when the one that waits has left its folder, or cannot', () => {
    const waits = {exitCode: 0, signal: null, summary: null, result: {kind: 'waiting' as const, asks: ['toolu_1']}};
    const left = (): Scene => {
      const scene = new Scene({slots: 2}).running();
      scene.answer({verb: 'run', end: waits});
      scene.answer({verb: 'stop'});
      scene.answer({verb: 'seal', sealed: {length: 3, sha256: 'a'.repeat(64), receipt: 'receipt', dropped: 0}});
      scene.answer({verb: 'sign', record: 'signed'});
      scene.event({kind: 'message', message: {t: 'exit_ack', task: taskA, epoch: 1}});
      scene.offer(taskA, 2);
      scene.go(taskA, 2);
      return scene;
    };
    const scene = left();
    expect(scene.kinds()).not.toContain('prepare');
    scene.answer({verb: 'clean'});
    expect(scene.kinds()).toContain('prepare');
    const stuck = left();
    stuck.answer({verb: 'failed', of: 'clean', failure: {code: 'worktree_busy', detail: 'busy', retryable: true}});
    expect(stuck.kinds()).toContain('prepare');
  });

  test('[RN9] More offers than slots are rejected as retryable', () => {
    const scene = new Scene({slots: 1});
    scene.welcome();
    scene.offer();
    scene.offer(taskB);
    expect(sent(scene, 'reject')).toMatchObject([{task: taskB, code: 'capacity_reached', retryable: true}]);
  });

  test('[RN24] An offer that fails its check is rejected with its code', () => {
    const scene = new Scene();
    scene.welcome();
    const check = {ok: false, code: 'policy_refused', detail: 'no', retryable: false} as const;
    scene.event({kind: 'offer', offer: {task: taskA, epoch: 1}, check});
    expect(sent(scene, 'reject')).toMatchObject([{code: 'policy_refused', detail: 'no', retryable: false}]);
  });

  test('[RN10] A drained runner rejects, renews, and states no slots', () => {
    const scene = new Scene().running();
    scene.event({kind: 'drainHere'});
    expect(sent(scene, 'draining')).toMatchObject([{held: 1}]);
    scene.offer(taskB);
    expect(sent(scene, 'reject')).toMatchObject([{code: 'unavailable', retryable: true}]);
    scene.tick(config.renew_ms);
    expect(scene.effects).toContainEqual({
      kind: 'renew',
      ts: scene.now,
      slots: {default: 0},
      items: [{task: taskA, epoch: 1, phase: 'running'}],
    });
  });

  test('[RN10] A resume of the control plane ends its own drain and not that of this process', () => {
    const scene = new Scene();
    scene.welcome();
    scene.event({kind: 'message', message: {t: 'drain'}});
    scene.offer();
    expect(sent(scene, 'reject')).toHaveLength(1);
    scene.event({kind: 'message', message: {t: 'resume'}});
    scene.offer(taskA, 2);
    expect(scene.kinds()).toEqual(['renew', 'accept']);
    scene.event({kind: 'drainHere'});
    scene.event({kind: 'message', message: {t: 'resume'}});
    scene.offer(taskB);
    expect(sent(scene, 'reject')).toHaveLength(1);
  });
});

describe('leases', () => {
  test('[RN4] The deadline is the echo plus the ttl, however late the answer comes', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    const echo = scene.now;
    scene.now += 20_000;
    scene.go(taskA, 1, echo);
    expect(scene.attempt()?.deadlineBootMs).toBe(echo + config.ttl_ms);
    scene.answer({verb: 'prepare', result: null});
    const stamped = scene.now;
    scene.now += 5_000;
    scene.renewed(stamped);
    expect(scene.attempt()?.deadlineBootMs).toBe(stamped + config.ttl_ms);
    expect(scene.effects).toMatchObject([{kind: 'extend', softBootMs: stamped + 45_000, hardBootMs: stamped + 58_000}]);
  });

  test('[RN4] A late renewal never shortens the lease', () => {
    const scene = new Scene().running();
    const early = scene.now;
    scene.now += 10_000;
    scene.renewed();
    const deadline = scene.attempt()?.deadlineBootMs;
    scene.renewed(early);
    expect(scene.attempt()?.deadlineBootMs).toBe(deadline);
  });

  test.for([
    ['of the future', 10_000_000],
    ['of another process', 10],
  ] as const)('[RN4] An echo %s prolongs nothing', ([, echo]) => {
    const scene = new Scene().running();
    const deadline = scene.attempt()?.deadlineBootMs;
    scene.now += 1_000;
    scene.renewed(echo);
    expect(scene.attempt()?.deadlineBootMs).toBe(deadline);
    expect(scene.kinds()).toEqual(['refused']);
  });

  test('[RN4] A go with an echo from before the accept starts nothing', () => {
    const scene = new Scene();
    scene.welcome();
    scene.now += 1_000;
    scene.offer();
    scene.go(taskA, 1, scene.now - 1);
    expect(scene.kinds()).toEqual(['refused']);
  });

  test('[RN4] A go that comes when the lease is all but over starts nothing', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    const echo = scene.now;
    scene.now += config.ttl_ms - config.hard_kill_ms;
    scene.go(taskA, 1, echo);
    expect(scene.kinds()).not.toContain('prepare');
    expect(scene.state.attempts.size).toBe(0);
  });

  test('[RN6] Without a renewal the agent is asked to stop, and an end in time reports lease_lost', () => {
    const scene = new Scene().running();
    scene.event({kind: 'disconnected'});
    scene.tick(config.ttl_ms - config.soft_stop_ms - 1);
    expect(scene.kinds()).toEqual([]);
    scene.tick(1);
    expect(scene.effects).toMatchObject([{kind: 'stop', graceMs: 13_000}, {kind: 'phase'}]);
    scene.answer({verb: 'stop'});
    expect(scene.attempt()).toMatchObject({
      state: 'exited',
      result: {kind: 'failed', code: 'lease_lost', retryable: true},
    });
  });

  test('[RN5] Past the hard kill the attempt is fenced, and no exit is ever sent', () => {
    const scene = new Scene().running();
    scene.tick(config.ttl_ms - config.hard_kill_ms);
    expect(scene.attempt()?.state).toBe('fenced');
    expect(scene.kinds()).toContain('kill');
    scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}});
    scene.answer({verb: 'stop'});
    scene.answer({verb: 'kill'});
    scene.answer({verb: 'clean'});
    scene.welcome();
    expect(scene.state.attempts.size).toBe(0);
    expect(scene.all.filter(effect => effect.kind === 'send' && effect.message.t === 'exit')).toEqual([]);
  });

  test('[RN7] After an hour of sleep a renewal that waited in the socket prolongs nothing', () => {
    const scene = new Scene().running();
    const echo = scene.now;
    scene.now += 3_600_000;
    scene.renewed(echo + 3_600_000);
    expect(scene.attempt()?.state).toBe('fenced');
    expect(scene.effects[0]).toMatchObject({kind: 'kill'});
  });

  test('[RN5] Gone kills at once, in every state that has a process', () => {
    const scene = new Scene().running();
    scene.event({kind: 'message', message: {t: 'gone', task: taskA, epoch: 1, why: 'lease lost'}});
    expect(scene.kinds()).toEqual(['kill']);
    scene.answer({verb: 'kill'});
    expect(scene.kinds()).toEqual(['clean']);
    scene.answer({verb: 'clean'});
    expect(scene.state.attempts.size).toBe(0);
  });

  test('[RN8] A renew names every attempt whose exit is not acknowledged', () => {
    const scene = new Scene().reported();
    scene.offer(taskB);
    scene.tick(config.renew_ms);
    expect(scene.effects).toContainEqual({
      kind: 'renew',
      ts: scene.now,
      slots: {default: 2},
      items: [
        {task: taskA, epoch: 1, phase: 'reported'},
        {task: taskB, epoch: 1, phase: 'accepted'},
      ],
    });
    expect(nextWakeBootMs(scene.state)).toBe(scene.now + config.renew_ms);
  });

  test('[RN25] A revoked runner fences everything', () => {
    const scene = new Scene().running();
    scene.offer(taskB);
    scene.event({kind: 'revoked'});
    expect(scene.kinds()).toEqual(['kill']);
    expect([...scene.state.attempts.values()].map(({state}) => state)).toEqual(['fenced']);
  });
});

describe('ending', () => {
  test('[RN11] A cancelled attempt exits as cancelled although its agent succeeds meanwhile', () => {
    const scene = new Scene().running();
    scene.event({kind: 'message', message: {t: 'cancel', task: taskA, epoch: 1, grace_ms: 5_000, reason: 'no'}});
    expect(scene.effects).toMatchObject([{kind: 'stop', graceMs: 5_000}, {kind: 'phase'}]);
    scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'did it', result: null}});
    scene.answer({verb: 'stop'});
    const attempt = scene.attempt();
    expect(attempt).toMatchObject({state: 'exited', result: {kind: 'cancelled'}, agentEnd: {exitCode: 0}});
  });

  test('[RN11] A second cancel with less patience shortens the grace, and changes no result', () => {
    const scene = new Scene().running(specOf({timeout_ms: 1_000}));
    scene.tick(1_000);
    expect(scene.attempt()?.result).toEqual({kind: 'timed_out'});
    scene.event({kind: 'message', message: {t: 'cancel', task: taskA, epoch: 1, grace_ms: 0, reason: 'now'}});
    expect(scene.effects).toMatchObject([{kind: 'stop', graceMs: 0}]);
    expect(scene.attempt()?.result).toEqual({kind: 'timed_out'});
  });

  test('[RN11] A cancel before go exits without a log', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    scene.event({kind: 'message', message: {t: 'cancel', task: taskA, epoch: 1, grace_ms: 0, reason: 'no'}});
    expect(scene.effects).toMatchObject([
      {kind: 'sign', record: {log_len: 0, log_receipt: null, result: {kind: 'cancelled'}}},
      {kind: 'phase'},
    ]);
  });

  test('[RN12] An agent that uses up its time is stopped and the attempt exits as timed out', () => {
    const scene = new Scene().running(specOf({timeout_ms: 20_000}));
    scene.now += 15_000;
    scene.renewed();
    scene.tick(4_999);
    expect(scene.attempt()?.state).toBe('running');
    scene.tick(1);
    scene.answer({verb: 'stop'});
    expect(scene.attempt()).toMatchObject({state: 'exited', result: {kind: 'timed_out'}});
  });

  test('[RN32] An agent is warned once before its time is used up, also by a runner that starts over', () => {
    const warnings = (scene: Scene) => scene.all.filter(({kind}) => kind === 'warn');
    const scene = new Scene().running(specOf({timeout_ms: 1_210_000}));
    const pass = (ms: number): void => {
      for (let left = ms; left > 0; left -= 10_000) {
        scene.now += Math.min(10_000, left);
        scene.renewed();
      }
    };
    pass(909_999);
    expect(warnings(scene)).toEqual([]);
    scene.tick(1);
    expect(warnings(scene)).toMatchObject([{plan: {task: taskA, epoch: 1}, leftMs: 300_000}]);
    pass(100_000);
    scene.event({kind: 'restored', sameBoot: true});
    scene.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    pass(100_000);
    expect(warnings(scene)).toHaveLength(1);
    expect(scene.attempt()?.state).toBe('running');
  });

  test.for([
    {timeoutMs: 1_200_000, leftMs: 300_000},
    {timeoutMs: 1_199_996, leftMs: 299_999},
    {timeoutMs: 120_000, leftMs: 30_000},
    {timeoutMs: 40_000, leftMs: 10_000},
  ])('[RN32] Of $timeoutMs ms an agent has $leftMs ms left when it is warned', ({timeoutMs, leftMs}) => {
    const scene = new Scene().running(specOf({timeout_ms: timeoutMs}));
    for (let left = timeoutMs - leftMs - 1; left > 0; left -= 10_000) {
      scene.now += Math.min(10_000, left);
      scene.renewed();
    }
    scene.tick(0);
    expect(scene.all.filter(({kind}) => kind === 'warn')).toEqual([]);
    scene.tick(1);
    expect(scene.all.filter(({kind}) => kind === 'warn')).toMatchObject([{leftMs}]);
  });

  test.for([
    {name: 'would have less time than is of use', timeoutMs: 39_996},
    {name: 'slept through the warning and its end', timeoutMs: 310_000},
  ])('[RN32] An agent that $name is not warned', ({timeoutMs}) => {
    const scene = new Scene().running(specOf({timeout_ms: timeoutMs}));
    scene.now += timeoutMs;
    scene.tick(0);
    expect(scene.all.filter(({kind}) => kind === 'warn')).toEqual([]);
  });

  test('[RN32] An agent with too little time for a warning is never given one', () => {
    const scene = new Scene().running(specOf({timeout_ms: 39_996}));
    for (let ms = 0; ms < 39_000; ms += 1_000) {
      scene.now += 1_000;
      scene.renewed();
    }
    expect(scene.attempt()?.state).toBe('running');
    expect(scene.all.filter(({kind}) => kind === 'warn')).toEqual([]);
  });

  test('[RN19] A verb that fails stops what may live of the attempt and makes a failed result with its code', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    scene.go();
    const failure = {code: 'base_not_found', detail: 'no branch x', retryable: false} as const;
    scene.answer({verb: 'failed', of: 'prepare', failure});
    expect(scene.kinds()).toEqual(['notice', 'stop', 'phase']);
    scene.answer({verb: 'stop'});
    expect(scene.attempt()?.result).toEqual({
      kind: 'failed',
      code: 'base_not_found',
      detail: 'no branch x',
      retryable: false,
    });
  });

  test('[RN19] A clean that fails is tried again, ever more slowly', () => {
    const scene = new Scene().reported();
    scene.event({kind: 'message', message: {t: 'exit_ack', task: taskA, epoch: 1}});
    const failure = {code: 'disk_full', detail: 'full', retryable: true} as const;
    const waits = [1_000, 2_000, 4_000].map(expected => {
      scene.answer({verb: 'failed', of: 'clean', failure});
      scene.tick(expected - 1);
      const early = scene.kinds().includes('clean');
      scene.tick(1);
      return {early, again: scene.kinds().includes('clean')};
    });
    expect(waits).toEqual(Array.from({length: 3}, () => ({early: false, again: true})));
    scene.answer({verb: 'clean'});
    expect(scene.state.attempts.size).toBe(0);
  });

  test('[RN30] Attempts whose trees cannot be removed keep no slot from others', () => {
    const scene = new Scene({slots: 1});
    scene.welcome();
    const tasks = Array.from({length: 8}, (_, n) => taskIdSchema.parse(`tsk_01jd000000000000000000001${n}`));
    for (const task of tasks) {
      scene.offer(task);
      scene.event({kind: 'message', message: {t: 'cancel', task, epoch: 1, grace_ms: 0, reason: ''}});
      scene.answer({verb: 'sign', record: 'signed'}, task);
      scene.event({kind: 'message', message: {t: 'exit_ack', task, epoch: 1}});
      const failure = {code: 'worktree_busy', detail: 'somebody is inside', retryable: true} as const;
      scene.answer({verb: 'failed', of: 'clean', failure}, task);
    }
    expect(scene.state.attempts.size).toBe(8);
    scene.offer(taskA);
    expect(sent(scene, 'accept')).toHaveLength(1);
    scene.tick(60_000);
    for (const task of tasks) scene.answer({verb: 'clean'}, task);
    expect([...scene.state.attempts.values()].map(({task}) => task)).toEqual([]);
  });

  test('[RN30] Work that is being cleaned up holds back offers beyond the slots, so that it cannot pile up', () => {
    const scene = new Scene({slots: 1});
    scene.welcome();
    const answers = Array.from({length: 6}, (_, n) => {
      const task = taskIdSchema.parse(`tsk_01jd000000000000000000001${n}`);
      scene.offer(task);
      const [accept] = sent(scene, 'accept');
      scene.event({kind: 'message', message: {t: 'cancel', task, epoch: 1, grace_ms: 0, reason: ''}});
      scene.answer({verb: 'sign', record: 'signed'}, task);
      scene.event({kind: 'message', message: {t: 'exit_ack', task, epoch: 1}});
      return accept === undefined ? 'rejected' : 'accepted';
    });
    expect(answers).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'rejected', 'rejected']);
  });

  test('[RN19] An answer that belongs to an earlier state changes nothing', () => {
    const scene = new Scene().running();
    scene.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
    scene.answer({verb: 'prepare', result: {kind: 'succeeded'}});
    scene.answer({verb: 'clean'});
    scene.answer({verb: 'kill'});
    expect(scene.attempt()).toMatchObject({state: 'running', result: null});
  });

  test('[RN21] Told to end with its agents, a runner interrupts every attempt', () => {
    const scene = new Scene().running();
    scene.event({kind: 'stopAll', graceMs: 1_000, detail: 'the machine shuts down'});
    expect(scene.kinds()).toEqual(['draining', 'stop', 'phase']);
    scene.answer({verb: 'stop'});
    expect(scene.attempt()?.result).toEqual({kind: 'interrupted', detail: 'the machine shuts down'});
  });

  test('[RN14] An exit is sent after each reconnect and from time to time, until it is acknowledged', () => {
    const scene = new Scene().reported();
    scene.event({kind: 'disconnected'});
    scene.tick(120_000);
    expect(sent(scene, 'exit')).toEqual([]);
    scene.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    expect(sent(scene, 'exit')).toMatchObject([{record: 'signed'}]);
    scene.tick(2 * config.renew_ms - 1);
    expect(sent(scene, 'exit')).toEqual([]);
    scene.tick(1);
    expect(sent(scene, 'exit')).toHaveLength(1);
    scene.event({kind: 'message', message: {t: 'exit_ack', task: taskA, epoch: 1}});
    expect(scene.kinds()).toEqual(['clean']);
    scene.tick(600_000);
    expect(sent(scene, 'exit')).toEqual([]);
  });

  test.for(['lease_lost', 'state_corrupt'] as const)(
    '[RN29] A log that can never be whole (%s) ends the attempt: no exit, no renewal, its work is salvaged',
    code => {
      for (const scene of [sealing(), sealingAgain()]) {
        scene.answer({verb: 'failed', of: 'seal', failure: {code, detail: 'a later attempt began', retryable: true}});
        expect(scene.attempt()).toMatchObject({state: 'fenced', goneWhy: 'a later attempt began'});
        expect(scene.kinds()).toContain('clean');
        scene.tick(config.renew_ms);
        expect(scene.effects.find(({kind}) => kind === 'renew')).toMatchObject({items: []});
        scene.answer({verb: 'clean'});
        scene.tick(10 * config.renew_ms);
        expect(scene.kinds()).not.toContain('exit');
        expect(scene.state.attempts.size).toBe(0);
      }
    },
  );

  test('[RN29] A seal that failed for another reason is tried again', () => {
    const scene = sealing();
    scene.answer({verb: 'failed', of: 'seal', failure: {code: 'unavailable', detail: 'cut', retryable: true}});
    expect(scene.attempt()?.state).toBe('exited');
    scene.tick(1_000);
    expect(scene.kinds()).toContain('seal');
  });

  test('[RN22] A refused exit is completed by sealing again, or signed anew', () => {
    const scene = new Scene().reported();
    scene.event({kind: 'message', message: {t: 'exit_nack', task: taskA, epoch: 1, why: 'log_incomplete'}});
    scene.tick(1_000);
    expect(scene.kinds()).toContain('seal');
    scene.answer({verb: 'seal', sealed: {length: 4, sha256: 'b'.repeat(64), receipt: 'second', dropped: 0}});
    expect(scene.effects).toMatchObject([{kind: 'sign', record: {log_len: 4, log_receipt: 'second'}}]);
    scene.answer({verb: 'sign', record: 'signed-2'});
    expect(sent(scene, 'exit')).toMatchObject([{record: 'signed-2'}]);
    scene.tick(2 * config.renew_ms);
    expect(sent(scene, 'exit')).toMatchObject([{record: 'signed-2'}]);
    scene.event({kind: 'message', message: {t: 'exit_nack', task: taskA, epoch: 1, why: 'bad_signature'}});
    scene.tick(2_000);
    expect(scene.kinds()).toContain('sign');
  });

  test('[RN26] A result longer than the record allows is cut, and the record is valid and small', () => {
    const record = exitRecordOf({
      ...newAttempt({task: taskA, epoch: 1, spec: specOf(), branch: 'b'}),
      result: {kind: 'succeeded', summary: '\u0001\u{1F600}'.repeat(50_000)},
      sealed: {length: 0, sha256: 'a'.repeat(64), receipt: null, dropped: 0},
    });
    const parsed = exitRecordSchema.parse({...record, runner: 'rnr_01jd0000000000000000000001'});
    expect(JSON.stringify(parsed).length).toBeLessThan(48_000);
  });
});

describe('reconnecting', () => {
  test('[RN13] An accept without an answer is sent again after a keep and after a renewal that names it', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    scene.event({kind: 'disconnected'});
    scene.now += 3_000;
    scene.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    expect(sent(scene, 'accept')).toMatchObject([{ts: scene.now}]);
    scene.now += 15_000;
    scene.renewed();
    expect(sent(scene, 'accept')).toMatchObject([{ts: scene.now}]);
    scene.go();
    expect(scene.kinds()).toContain('prepare');
  });

  test('[RN15] Each verdict does what it says', () => {
    const killed = new Scene().running();
    killed.welcome([{task: taskA, epoch: 1, verdict: 'kill'}]);
    expect(killed.kinds()).toEqual(['kill']);
    const forgotten = new Scene().reported();
    forgotten.welcome([{task: taskA, epoch: 1, verdict: 'forget'}]);
    expect(forgotten.kinds()).toEqual(['clean']);
    const asked = new Scene().reported();
    asked.tick(1_000);
    asked.welcome([{task: taskA, epoch: 1, verdict: 'send_exit'}]);
    expect(asked.kinds()).toEqual(['exit']);
    const kept = new Scene().running();
    kept.now += 20_000;
    kept.welcome([{task: taskA, epoch: 1, verdict: 'keep'}], kept.now - 5_000);
    expect(kept.attempt()?.deadlineBootMs).toBe(kept.now - 5_000 + config.ttl_ms);
  });

  test('[RN18] A restart within the lease goes on with the verb of each state', () => {
    const preparing = new Scene();
    preparing.welcome();
    preparing.offer();
    preparing.go();
    const finishing = new Scene().running();
    finishing.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}});
    const exited = new Scene().running();
    exited.event({kind: 'stopAll', graceMs: 0, detail: 'x'});
    exited.answer({verb: 'stop'});
    expect(restart(preparing).kinds()).toEqual(['extend', 'prepare']);
    expect(restart(new Scene().running()).kinds()).toEqual(['extend', 'run']);
    expect(restart(finishing).kinds()).toEqual(['extend', 'finish']);
    expect(restart(exited).kinds()).toEqual(['seal']);
    expect(restart(new Scene().reported()).kinds()).toEqual([]);
  });

  test('[RN18] A restart after the lease ran out fences and never calls run', () => {
    const scene = new Scene().running();
    const after = restart(scene, {now: scene.now + config.ttl_ms});
    expect(after.kinds()).toEqual(['kill']);
    expect(after.attempt()?.state).toBe('fenced');
  });

  test('[RN17] After a reboot work waits for the server to keep it', () => {
    const scene = new Scene().running();
    const after = restart(scene, {sameBoot: false, now: 50});
    expect(after.kinds()).toEqual([]);
    after.tick(10_000_000);
    expect(after.kinds()).toEqual([]);
    after.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    expect(after.kinds()).toEqual(['extend', 'run']);
  });

  test('[RN17] After a reboot a state that goes on has its own time again, and an end of it', () => {
    const scene = new Scene().running();
    scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'done', result: null}});
    const rebooted = restart(scene, {sameBoot: false, now: 50});
    rebooted.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    expect(rebooted.kinds()).toContain('finish');
    for (let workedMs = 0; workedMs < 31 * 60_000; workedMs += config.renew_ms) {
      rebooted.now += config.renew_ms;
      rebooted.renewed(rebooted.now);
    }
    expect(rebooted.attempt()).toMatchObject({state: 'stopping', result: {kind: 'failed', code: 'unavailable'}});
  });

  test('[RN17] After a reboot an accept of the boot before cannot be answered by go', () => {
    const scene = new Scene();
    scene.welcome();
    scene.offer();
    const after = restart(scene, {sameBoot: false, now: 2_000});
    after.welcome();
    after.go(taskA, 1, 1_000);
    expect(after.kinds()).toEqual(['refused']);
  });

  test('[RN20] A message is delivered once and acknowledged as often as it is sent', () => {
    const scene = new Scene().running();
    const input = {t: 'input', task: taskA, epoch: 1, seq: 7, data: 'hello'} as const;
    scene.event({kind: 'message', message: input});
    expect(scene.kinds()).toEqual(['input']);
    scene.event({kind: 'message', message: input});
    expect(scene.kinds()).toEqual([]);
    scene.event({kind: 'inputDone', of: {task: taskA, epoch: 1}, seq: 7, delivered: true});
    expect(sent(scene, 'input_ack')).toMatchObject([{seq: 7, delivered: true}]);
    scene.event({kind: 'message', message: input});
    expect(scene.kinds()).toEqual(['input_ack']);
    const after = restart(scene);
    after.event({kind: 'message', message: input});
    expect(after.kinds()).toEqual(['input_ack']);
  });

  test('[RN20] A message whose delivery ended with its process is refused, and not tried again', () => {
    const scene = new Scene().running();
    const input = {t: 'input', task: taskA, epoch: 1, seq: 7, data: 'hello'} as const;
    scene.event({kind: 'message', message: input});
    const after = restart(scene);
    after.event({kind: 'message', message: input});
    expect(sent(after, 'input_ack')).toMatchObject([{seq: 7, delivered: false}]);
    expect(after.kinds()).not.toContain('input');
  });

  test('[RN17] After a reboot a verdict that is older than the lease gives none', () => {
    const after = restart(new Scene().running(), {sameBoot: false, now: 50});
    const echo = after.now;
    after.now += config.ttl_ms - config.hard_kill_ms;
    after.welcome([{task: taskA, epoch: 1, verdict: 'keep'}], echo);
    expect(after.kinds()).toEqual([]);
    after.renewed();
    expect(after.kinds()).toEqual(['extend', 'run']);
  });

  test('[RN11] A second cancel with more patience lengthens nothing', () => {
    const scene = new Scene().running();
    const cancel = {t: 'cancel', task: taskA, epoch: 1, reason: 'no'} as const;
    scene.event({kind: 'message', message: {...cancel, grace_ms: 1_000}});
    scene.event({kind: 'message', message: {...cancel, grace_ms: 60_000}});
    expect(scene.effects).toMatchObject([{kind: 'stop', graceMs: 1_000}]);
  });
});
