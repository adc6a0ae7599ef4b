import {setTimeout as delay} from 'node:timers/promises';
import type {PlaneFault, Round, RunnerFault, Timed} from './fault-plan.ts';
import {processes} from './processes.ts';
import type {Timeline} from './timeline.ts';
import type {Yard, YardRunner} from './yard.ts';

/** Carries out a round: its tracks beside each other, the faults of a track one after the other. */
export async function carryOut(yard: Yard, {plane, runners}: Round, timeline: Timeline): Promise<void> {
  const tracks = yard.runners.map(async (runner, index) => {
    for (const fault of runners[index] ?? []) {
      await delay(fault.afterMs);
      await hitRunner(yard, runner, {fault, timeline});
      await yard.revive(runner);
    }
  });
  const planeTrack = async (): Promise<void> => {
    for (const fault of plane) {
      await delay(fault.afterMs);
      await hitPlane(yard, fault, timeline);
    }
  };
  await Promise.all([planeTrack(), ...tracks]);
}

type Hit = {readonly fault: Timed<RunnerFault>; readonly timeline: Timeline};

async function hitRunner(yard: Yard, runner: YardRunner, {fault, timeline}: Hit): Promise<void> {
  const {name, process: own, proxy, disk} = runner;
  if (own.child().exitCode !== null) timeline.note('ended by itself', name, own.lines().slice(-3).join(' | '));
  switch (fault.kind) {
    case 'rest':
      await delay(fault.ms);
      return;
    case 'kill-runner':
      timeline.note(fault.kind, name, fault);
      await own.kill('SIGKILL');
      await delay(fault.downMs);
      await yard.revive(runner);
      return;
    case 'stop-runner':
      timeline.note(fault.kind, name, fault);
      own.child().kill('SIGSTOP');
      await delay(fault.ms);
      own.child().kill('SIGCONT');
      return;
    case 'cut':
      timeline.note(fault.kind, name, fault);
      proxy.cut(fault.direction);
      await delay(fault.ms);
      proxy.mend();
      return;
    case 'slow':
      timeline.note(fault.kind, name, fault);
      proxy.slow(fault);
      await delay(fault.ms);
      proxy.slow(null);
      return;
    case 'reset':
      timeline.note(fault.kind, name, fault);
      proxy.reset();
      return;
    case 'kill-shim':
    case 'kill-agent':
      killOne(yard, runner, {fault, timeline});
      return;
    case 'fill-disk':
      if (disk === undefined) return;
      timeline.note(fault.kind, name, fault);
      disk.fill();
      await delay(fault.ms);
      disk.empty();
      return;
  }
}

/** One of those alive at this moment: which one it is depends on the time, not on the seed. */
function killOne(yard: Yard, {name}: YardRunner, {fault, timeline}: Hit): void {
  if (fault.kind !== 'kill-shim' && fault.kind !== 'kill-agent') return;
  const all = processes();
  const runs = `${yard.bed.folder}/${name}/runner/runs/`;
  const shims = all.filter(each => each.arguments.includes(`shim.sh\0start\0${runs}`));
  const shimIds = new Set(shims.map(({pid}) => pid));
  // The dead man beside it is a copy of the shim, and its child.
  const whole = shims.filter(({parent}) => !shimIds.has(parent));
  const agents = all.filter(
    ({environment, arguments: text}) => environment.includes(`HOME=${runs}`) && text.includes('chaos/agent.ts\0'),
  );
  const victims = fault.kind === 'kill-shim' ? whole : agents;
  const victim = victims[Math.floor(fault.pick * victims.length)];
  if (victim === undefined) return;
  timeline.note(fault.kind, name, `${victim.pid} of ${/tsk_\w+(?:-e\d+)?/.exec(victim.environment)?.[0] ?? ''}`);
  try {
    process.kill(victim.pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}

async function hitPlane(yard: Yard, fault: Timed<PlaneFault>, timeline: Timeline): Promise<void> {
  const {bed} = yard;
  switch (fault.kind) {
    case 'rest':
      await delay(fault.ms);
      return;
    case 'kill-plane':
      timeline.note(fault.kind, 'plane', fault);
      await bed.killPlane();
      await delay(fault.downMs);
      await yard.revivePlane();
      return;
    case 'stop-plane':
      timeline.note(fault.kind, 'plane', fault);
      bed.signalPlane('SIGSTOP');
      await delay(fault.ms);
      bed.signalPlane('SIGCONT');
      return;
  }
}
