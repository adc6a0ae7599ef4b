import {leaseExpiresMs} from '@switchyard/shared/domain/lease.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import {reduce} from '../../../runner/src/attempt/attempt-reducer.ts';
import {nextWakeBootMs} from '../../../runner/src/attempt/clock-rules.ts';
import {Scene} from '../../unit/attempt/attempt-scene.ts';

/** How late the messages of one lease are, each on its way. */
export type Delays = {readonly acceptMs: number; readonly goMs: number};

const none: Delays = {acceptMs: 0, goMs: 0};

/**
 * The law of the model in the times of the code: how long after the end of the last kill the server gives the task to
 * another. Negative: two agents may work at once; infinite: no agent ever started. The Fleet's own rule says when the
 * lease expires, and the runner's own when it kills an agent that hears nothing. Both clocks go at one rate here.
 */
export function safetyMarginMs(lease: LeaseConfig, {acceptMs, goMs}: Delays = none): number {
  const scene = new Scene();
  const acceptedMs = scene.now;
  greet(scene, lease);
  scene.offer();
  const expiresMs = leaseExpiresMs(acceptedMs + acceptMs, lease);
  scene.now += acceptMs + goMs;
  scene.go(undefined, undefined, acceptedMs);
  return expiresMs - (killedMs(scene) + limits.killMs);
}

function greet(scene: Scene, config: LeaseConfig): void {
  const session = {session: 'session-1', protocol: 1, server_time_ms: 0, echo: scene.now};
  scene.event({kind: 'welcome', welcome: {t: 'welcome', ...session, config, verdicts: []}});
}

const wakesMax = 1_000;

/** When the runner, left alone, kills its agent; never, where the go came too late for one. */
function killedMs(scene: Scene): number {
  let {state} = scene;
  for (let wakes = 0; wakes < wakesMax; wakes++) {
    if (state.attempts.size === 0) return -Infinity;
    const nowMs = Math.max(scene.now, nextWakeBootMs(state) ?? Infinity);
    const reduced = reduce(state, {kind: 'tick'}, nowMs);
    if (reduced.effects.some(({kind}) => kind === 'kill')) return nowMs;
    state = reduced.state;
  }
  throw new Error(`an agent lives, and its runner woke up ${wakesMax} times without killing it`);
}
