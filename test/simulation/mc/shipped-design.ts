import {bootClock} from '../../../runner/src/executor/boot-clock.ts';
import {leaseConfig} from '../../../worker/src/lease-config.ts';
import {CoreWorld, standardLease} from '../../fixtures/fleet-core.ts';
import {config, Scene} from '../../unit/attempt/attempt-scene.ts';
import type {Design} from './lease-designs.ts';
import {safetyMarginMs} from './safety-margin.ts';

/**
 * The design that the shipped code is of, found out by trying: each part is what the decisions of the Fleet and of the
 * runner do when they are asked, not what this file says that they do.
 */
export function shippedDesign(): Design {
  return {
    startOn: startOn(),
    serverFence: hasServerFence(),
    selfFence: new Scene()
      .running()
      .tick(config.ttl_ms)
      .some(({kind}) => kind === 'kill'),
    deadlineFrom: deadlineFrom(),
    graceTicks: safetyMarginMs(leaseConfig({}, 'standard')) >= 0 ? 1 : 0,
    clock: clockOf(),
    checksBeforeResume: checksBeforeResume(),
  };
}

function startOn(): Design['startOn'] {
  const scene = new Scene();
  scene.welcome();
  const prepares = (effects: readonly {readonly kind: string}[]): boolean =>
    effects.some(({kind}) => kind === 'prepare');
  if (prepares(scene.offer())) return 'grant';
  if (prepares(scene.go())) return 'go';
  throw new Error('neither an offer nor a go starts anything');
}

/** The lease of a machine runs out, another gets the task, and then the first reports that it succeeded. */
function hasServerFence(): boolean {
  const world = new CoreWorld();
  const [first, second] = [world.machine(), world.machine()];
  first.hello();
  const task = world.one();
  const lost = first.accept();
  world.advance(standardLease.ttl_ms + standardLease.grace_ms + 1);
  first.hello(0);
  second.hello();
  world.advance(60 * 60_000);
  const kept = second.accept();
  world.take(first.id);
  first.exit(lost);
  const isUnmoved = world.task(task).state === 'leased' && world.task(task).epoch === kept.epoch;
  return kept.epoch > lost.epoch && isUnmoved && world.take(first.id, 'gone').length === 1;
}

/** Both answers that give a lease come late, and the deadline tells from what it was counted. */
function deadlineFrom(): Design['deadlineFrom'] {
  const lateMs = 5_000;
  const scene = new Scene();
  scene.welcome();
  scene.offer();
  const counted = [scene.now, scene.now + lateMs].map(sentMs => {
    scene.now = sentMs + lateMs;
    if (scene.attempt()?.state === 'accepted') scene.go(undefined, undefined, sentMs);
    else scene.renewed(sentMs);
    return (scene.attempt()?.deadlineBootMs ?? NaN) - config.ttl_ms - sentMs;
  });
  if (counted.every(afterMs => afterMs === 0)) return 'echo';
  if (counted.some(afterMs => afterMs === lateMs)) return 'receipt';
  throw new Error(`the deadlines count from ${counted.join(' and ')} ms after what was sent`);
}

/** On Linux `/proc/uptime` counts sleep; on macOS the wall clock does, against the time at which the machine started. */
function clockOf(): Design['clock'] {
  const texts = new Map([['/proc/uptime', '5000.25 1.00\n']]);
  const sources = {
    readText: (path: string) => texts.get(path) ?? 'aaaaaaaa-bbbb',
    sysctl: (name: string) => (name === 'kern.boottime' ? '{ sec = 1000, usec = 0 }' : 'aaaaaaaa-bbbb'),
    wallNowMs: () => 6_000_250,
  };
  const times = (['linux', 'darwin'] as const).map(platform => bootClock({...sources, platform}).nowMs());
  return times.every(nowMs => nowMs === 5_000_250) ? 'boot' : 'monotonic';
}

/** Whatever is the first thing that a runner hears after a long sleep, the agent is killed and nothing else happens to it. */
function checksBeforeResume(): boolean {
  const after = (hear: (scene: Scene) => readonly {readonly kind: string}[]): string => {
    const scene = new Scene().running();
    scene.now += 2 * config.ttl_ms;
    const kinds = hear(scene).map(({kind}) => kind);
    return `${kinds[0]} ${scene.attempt()?.state} ${kinds.includes('finish') || kinds.includes('extend')}`;
  };
  const outcomes = [
    after(scene => scene.tick()),
    after(scene => scene.renewed(scene.now - 1)),
    after(scene => scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: null, result: null}})),
    after(scene => scene.welcome([])),
  ];
  return outcomes.every(outcome => outcome === 'kill fenced false');
}
