import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import type {Fate} from '../people/clients.ts';
import {startMs} from '../control-plane/fleet-object.ts';
import {chanceOf} from '../kernel/chance.ts';
import type {DeathPoint} from '../machine/runner-process.ts';
import {restartMs, type Host, type World} from '../world.ts';
import type {FaultKind, Step} from './step.ts';

type Hit = {readonly world: World; readonly host: Host; readonly step: Step; readonly index: number};

/** Makes one step of the schedule happen. What took effect is counted, now or when its effect shows. */
export function inject(world: World, step: Step, index: number): void {
  const hit: Hit = {world, host: hostFor(world, step), step, index};
  if (step.kind === 'submit') submit(hit);
  else if (hits[step.kind](hit)) world.took(index);
}

const needsProcess: ReadonlySet<Step['kind']> = new Set([
  'cut',
  'cutHalf',
  'cutLate',
  'runnerCrash',
  'runnerCrashAt',
  'drainHere',
  'offerReplayed',
  'offerForged',
  'suspend',
  'slowDisk',
] as const);

/** The machine of the step, or the next one that the fault can do anything to. */
function hostFor({hosts}: World, {machine, kind}: Step): Host {
  const order = hosts.map((_, offset) => hosts[(machine + offset) % hosts.length]).filter(host => host !== undefined);
  const [first] = order;
  if (first === undefined) throw new Error('a world without machines');
  const isAwake = ({machine: of}: Host): boolean => of.isUp && !of.isSuspended;
  if (kind === 'agentKilled' || kind === 'stopAll')
    return order.find(host => isAwake(host) && host.machine.agents.size > 0) ?? first;
  if (kind === 'logDeath' || !needsProcess.has(kind)) return order.find(isAwake) ?? first;
  const isOpen = (host: Host): boolean => isAwake(host) && host.process?.session.isWelcome === true;
  return order.find(isOpen) ?? order.find(host => isAwake(host) && host.process !== undefined) ?? first;
}

/** The task of the step, or the next one that has ended, or has not. */
function taskFor(world: World, {target}: Step, isOver: boolean): string | undefined {
  const titles = [...world.clients.tasks.keys()];
  return titles
    .map((_, offset) => titles[(target + offset) % titles.length] ?? '')
    .find(title => world.isFinished(world.clients.tasks.get(title) ?? '') === isOver);
}

const titleOf = (target: number): string => `task-${target}`;

function submit({world, step}: Hit): void {
  world.clients.submit(titleOf(step.target), specOf(world, step.target));
}

function specOf(world: World, target: number): Partial<TaskSpecInput> {
  const chance = chanceOf(world.plan.seed, `spec ${target}`);
  const earlier = [...world.clients.tasks.values()];
  const dependsOn = chance.isLuck(0.15) && earlier.length > 0 ? [chance.pick(earlier) as TaskId] : [];
  const limit = chance.between(1, 2);
  const mode = chance.isLuck(0.8) ? 'queue' : chance.pick(['cancel_in_progress', 'cancel_newest'] as const);
  return {
    priority: chance.between(1, 5),
    fairness_key: `user-${chance.between(1, 3)}`,
    requires: chance.isLuck(0.25) ? ['gpu'] : [],
    prefers: chance.isLuck(0.2) ? ['gpu'] : [],
    depends_on: dependsOn,
    attempts_max: chance.between(2, 4),
    ...(chance.isLuck(0.35) ? {concurrency: {key: `limit-${limit}`, limit, mode}} : {}),
    ...(chance.isLuck(0.15) ? {not_before_ms: startMs + world.timeline.nowMs + chance.between(100, 40_000)} : {}),
    ...(chance.isLuck(0.1) ? {timeout_ms: chance.between(1_000, 20_000)} : {}),
  };
}

const deathPoints: readonly DeathPoint[] = ['beforeJournal', 'afterJournal', 'midEffects', 'midStore'];

/** Each answers whether it took effect at once; one whose effect comes later arms it. */
const hits: Readonly<Record<FaultKind, (hit: Hit) => boolean>> = {
  cut: ({host}) => cutAll(host, 'both'),
  cutHalf: ({host, step}) => host.process?.session.cut(step.luck < 0.5 ? 'machine' : 'server') ?? false,
  cutLate: ({host}) => cutAll(host, 'late'),
  partition: hit => partition(hit, ['up', 'down']),
  partitionUp: hit => partition(hit, ['up']),
  partitionDown: hit => partition(hit, ['down']),
  delay({world, host, step, index}) {
    host.line.slow(step.forMs, 20 + Math.floor(step.luck ** 3 * 12_000));
    world.arm(`delay ${host.machine.parts.index}`, index);
    return false;
  },
  runnerCrash({host}) {
    if (host.process === undefined || host.machine.isSuspended) return false;
    host.process.crash();
    return true;
  },
  runnerCrashAt({world, host, step, index}) {
    if (host.process === undefined || host.process.diesAt !== undefined) return false;
    host.process.diesAt = deathPoints[Math.floor(step.luck * deathPoints.length)];
    world.arm(`death ${host.machine.parts.index}`, index);
    return false;
  },
  hostCrash({host, step}) {
    if (!host.machine.isUp) return false;
    host.machine.crash(step.forMs);
    host.process = undefined;
    return true;
  },
  suspend: ({host, step}) => host.machine.suspend(step.forMs),
  fleetDeath: ({world, step}) => world.fleet.die(step.luck < 0.5 ? 'beforeCommit' : 'afterCommit'),
  fleetDeathNext({world, step, index}) {
    if (world.fleet.diesNext !== undefined) return false;
    world.fleet.diesNext = step.luck < 0.5 ? 'beforeCommit' : 'afterCommit';
    world.arm('fleet death', index);
    return false;
  },
  fleetEvicted: ({world}) => world.fleet.die('evicted'),
  logDeath({world, step, index}) {
    const busy = [...world.logs.values()].filter(log => log.isBusy);
    const log = busy[Math.floor(step.luck * busy.length)];
    if (log === undefined || log.diesNext !== undefined) return false;
    log.diesNext = step.luck < 0.5 ? 'beforeCommit' : 'afterCommit';
    log.onDeath = () => world.took(index);
    return false;
  },
  slowCommit({world, step, index}) {
    if (world.fleet.syncMs > 0) return false;
    world.fleet.syncMs = 1 + Math.floor(step.luck * 1_500);
    world.timeline.after(step.forMs, () => (world.fleet.syncMs = 0));
    world.arm('slow commit', index);
    return false;
  },
  alarmLate({world, step, index}) {
    if (world.fleet.alarmLateMs > 0) return false;
    world.fleet.alarmLateMs = step.forMs;
    world.arm('late alarm', index);
    return false;
  },
  diskFull({world, host, step, index}) {
    const {disk, parts} = host.machine;
    if (disk.isFull) return false;
    disk.isFull = true;
    world.timeline.after(step.forMs, () => (disk.isFull = false));
    world.arm(`diskFull ${parts.index}`, index);
    return false;
  },
  slowDisk({world, host, step, index}) {
    const {disk, parts} = host.machine;
    if (disk.slowMs > 0) return false;
    disk.slowMs = 1 + Math.floor(step.luck ** 2 * 2_000);
    world.timeline.after(step.forMs, () => (disk.slowMs = 0));
    world.arm(`slowDisk ${parts.index}`, index);
    return false;
  },
  clockRefused({world, host, index}) {
    if (host.isClockWrong) return false;
    host.isClockWrong = true;
    world.arm(`clock ${host.machine.parts.index}`, index);
    return false;
  },
  drain({world, host, step}) {
    if (host.isRevoked) return false;
    const {runner} = host;
    world.clients.setRunner(runner, 'drain');
    world.timeline.after(step.forMs, () => world.clients.setRunner(runner, 'resume'));
    return true;
  },
  drainHere({host}) {
    if (host.process === undefined || host.machine.isSuspended) return false;
    host.process.drain();
    return true;
  },
  stopAll({host, step}) {
    if (host.process === undefined || host.machine.isSuspended) return false;
    host.process.stopAll(Math.floor(step.luck * 5_000));
    return true;
  },
  revoke({world, host, step}) {
    if (host.isRevoked) return false;
    host.isRevoked = true;
    world.clients.setRunner(host.runner, 'revoke');
    world.timeline.after(step.forMs + 65_000, () => enrolAgain(world, host));
    return true;
  },
  cancel({world, step}) {
    // Some come when all is over: they must change nothing, and count as nothing.
    const isLate = step.luck > 0.8;
    const title = taskFor(world, step, isLate);
    if (title === undefined) return false;
    world.clients.cancel(title, Math.floor(step.luck * 10_000));
    return !isLate;
  },
  message({world, step}) {
    const title = taskFor(world, step, false);
    if (title === undefined) return false;
    world.clients.message(title, 'go on');
    return true;
  },
  retry({world, step}) {
    const title = taskFor(world, step, true);
    if (title === undefined) return false;
    world.clients.retry(title);
    return true;
  },
  pause({world, step}) {
    world.clients.changePool({paused: true});
    world.timeline.after(step.forMs, () => world.clients.changePool({paused: false}));
    return true;
  },
  narrow({world, step}) {
    world.clients.changePool({max_concurrent: 1});
    world.timeline.after(step.forMs, () => world.clients.changePool({max_concurrent: null}));
    return true;
  },
  agentKilled({host, step}) {
    const agents = [...host.machine.agents.values()];
    const agent = agents[Math.floor(step.luck * agents.length)];
    if (agent === undefined || host.machine.isSuspended) return false;
    agent.outOfMemory();
    return true;
  },
  offerReplayed: ({world, host, step}) => world.replayOffer(host, step.luck),
  offerForged: ({world, host, step}) => world.forgeOffer(host, step.luck),
  doubledRequest: ({world, index}) => doom(world, index, {lostRequests: 0, lostAnswers: 0, isDoubled: true}),
  lostRequest: ({world, index}) => doom(world, index, {lostRequests: 1, lostAnswers: 0, isDoubled: false}),
  lostAnswer: ({world, step, index}) =>
    doom(world, index, {lostRequests: 0, lostAnswers: 1 + Math.floor(step.luck * 2), isDoubled: false}),
};

/** The next request that may be sent again suffers this. */
function doom(world: World, index: number, fate: Fate): boolean {
  if (world.clients.nextFate !== undefined) return false;
  world.clients.nextFate = {...fate, suffered: () => world.took(index)};
  return false;
}

function cutAll(host: Host, how: 'both' | 'late'): boolean {
  const isCut = host.process?.session.cut(how) ?? false;
  const areLogsCut = host.process?.hands.cutLogs(how) ?? false;
  return isCut || areLogsCut;
}

function partition({world, host, step, index}: Hit, directions: readonly ('up' | 'down')[]): boolean {
  for (const direction of directions) host.line.block(direction, step.forMs);
  world.arm(`partition ${host.machine.parts.index}`, index);
  return false;
}

/** "Enrol the machine again": another key, another id, the same disk. */
export function enrolAgain(world: World, host: Host): void {
  if (!host.isRevoked || (host.process !== undefined && !host.process.isGone)) return;
  Object.assign(host, world.identity());
  world.enrol(host);
}

/** Requests that people sent before the faults stopped are done or given up by then. */
const lastWordMs = 30_000;

/** The faults stop: everything that a person or an operator would put right is put right. */
export function calm(world: World): void {
  world.fleet.alarmLateMs = 0;
  world.fleet.syncMs = 0;
  world.fleet.diesNext = undefined;
  for (const host of world.hosts) {
    const {machine, line} = host;
    line.heal();
    machine.disk.isFull = false;
    machine.disk.slowMs = 0;
    host.isClockWrong = false;
    if (host.process !== undefined) host.process.diesAt = undefined;
    if (!machine.isUp) machine.bootUp();
    machine.wake();
    if (host.isRevoked) world.timeline.after(100_000, () => enrolAgain(world, host));
    world.timeline.after(restartMs, () => world.startProcess(host));
  }
  world.timeline.after(lastWordMs, () => {
    world.clients.changePool({paused: false, latched: false, max_concurrent: null});
    for (const {isRevoked, runner} of world.hosts) if (!isRevoked) world.clients.setRunner(runner, 'resume');
  });
  world.timeline.after(lastWordMs * 2, () => world.see({t: 'calm'}));
}
