import {describe, expect, test} from 'vitest';
import {initialState} from '../../../runner/src/attempt/runner-state.ts';
import {config, Scene, taskA} from './attempt-scene.ts';

const softMs = config.ttl_ms - config.soft_stop_ms;
const hardMs = config.ttl_ms - config.hard_kill_ms;

/** A runner that dies while its agent works, and begins again so long after the lease did. */
function restarted(afterMs: number): Scene {
  const dead = new Scene().running();
  const {attempts, maxEpochs, config: known, slots} = dead.state;
  const bornBootMs = dead.now + afterMs;
  const scene = new Scene({born: initialState({attempts, maxEpochs, config: known, slots, bornBootMs})});
  scene.now = bornBootMs;
  scene.event({kind: 'restored', sameBoot: true});
  return scene;
}

const endOf = (exitCode: number | null) => ({
  verb: 'run' as const,
  end: {exitCode, signal: exitCode === null ? 'SIGTERM' : null, summary: 'done', result: null},
});

describe('a runner that begins between the soft stop and the hard kill', () => {
  test('[RN31] takes up an agent that ended well, and goes on once its server has renewed the lease', () => {
    const scene = restarted(softMs + 2_000);
    expect(scene.kinds()).toEqual(['extend', 'run']);
    scene.answer(endOf(0));
    expect(scene.attempt()).toMatchObject({state: 'finishing', result: null});
    scene.tick(1_000);
    scene.welcome([{task: taskA, epoch: 1, verdict: 'keep'}]);
    scene.tick(config.soft_stop_ms);
    expect(scene.attempt()).toMatchObject({state: 'finishing', result: null});
    scene.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
    expect(scene.attempt()).toMatchObject({state: 'exited', result: {kind: 'succeeded'}});
  });

  test.for([1, 143, null])('[RN31] reports lease_lost for an agent that ended with %s', exitCode => {
    const scene = restarted(softMs + 2_000);
    scene.answer(endOf(exitCode));
    expect(scene.attempt()).toMatchObject({state: 'stopping', result: {kind: 'failed', code: 'lease_lost'}});
  });

  test('[RN31] asks an agent that lives on to stop when no server came, and never later than the hard kill', () => {
    const scene = restarted(softMs + 2_000);
    scene.tick(config.soft_stop_ms / 3 - 1);
    expect(scene.kinds()).toEqual([]);
    scene.tick(1);
    expect(scene.kinds()).toContain('stop');
    const later = restarted(hardMs - 1);
    expect(later.kinds()).toEqual(['extend', 'run']);
    later.tick(1);
    expect(later.attempt()?.state).toBe('fenced');
    expect(restarted(hardMs).attempt()?.state).toBe('fenced');
  });
});
