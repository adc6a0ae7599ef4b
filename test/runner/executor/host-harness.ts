import {mkdir, mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {attemptLabel} from '../../../runner/src/executor/attempt-name.ts';
import {bootClock, hostBootSources, type BootClock} from '../../../runner/src/executor/boot-clock.ts';
import {findCgroupBase} from '../../../runner/src/executor/cgroup.ts';
import type {Executor, LaunchPlan} from '../../../runner/src/executor/executor.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {killTree} from '../../../runner/src/executor/kill-tree.ts';
import type {Machine} from '../../../runner/src/executor/process-identity.ts';
import {hostProcesses} from '../../../runner/src/executor/process-table.ts';

export const hourMs = 3_600_000;
export const wallNowMs = (): number => performance.timeOrigin + performance.now();
export const clock: BootClock = bootClock(hostBootSources(wallNowMs));
export const machine: Machine & {readonly clock: BootClock} = {bootId: clock.bootId, processes: hostProcesses, clock};

/** Undefined on machines that give us no cgroup: the tests that need one are skipped there, with this reason. */
export const cgroupBase = await findCgroupBase('switchyard-test');
export const noCgroup = 'no writable cgroup v2 on this machine';

export function agent(name: string, ...args: string[]): [string, ...string[]] {
  return ['/bin/sh', fileURLToPath(new URL(`../../fixtures/agents/${name}.sh`, import.meta.url)), ...args];
}

export type HostPlace = {
  readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly root: string;
  readonly worktree: string;
  readonly runsDir: string;
  readonly executor: Executor;
  /** A further executor over the same directories, as a restarted runner has. */
  readonly another: () => Executor;
  readonly attempt: (
    argv: [string, ...string[]],
    overrides?: Partial<LaunchPlan>,
  ) => {plan: LaunchPlan; runDir: string};
};

let attempts = 0;

/** A folder of its own in which attempts run; everything that still runs there is killed at the end. */
export async function hostPlace(
  options: {readonly cgroupBase?: string | undefined; readonly parent?: string} = {},
): Promise<HostPlace> {
  const root = await mkdtemp(join(options.parent ?? tmpdir(), 'switchyard-executor-'));
  const [worktree, runsDir] = [join(root, 'worktree'), join(root, 'runs')];
  for (const folder of [worktree, runsDir]) await mkdir(folder);
  const another = (): Executor => hostExecutor({clock, wallNowMs, cgroupBase: options.cgroupBase});
  return {
    root,
    worktree,
    runsDir,
    executor: another(),
    another,
    attempt(argv, overrides = {}) {
      attempts += 1;
      const plan: LaunchPlan = {
        attempt: {task: `tsk_${process.pid}_${attempts}`, epoch: 1},
        argv,
        env: {LANG: 'C'},
        cwd: worktree,
        channels: 'separate',
        input: 'none',
        deadline: {softMs: clock.nowMs() + hourMs, hardMs: clock.nowMs() + hourMs},
        ...overrides,
      };
      return {plan, runDir: join(runsDir, attemptLabel(plan.attempt))};
    },
    async [Symbol.asyncDispose]() {
      for (const name of await readdir(runsDir))
        await killTree(join(runsDir, name), {reason: 'cancelled', graceMs: 0}, machine);
      await rm(root, {recursive: true, force: true});
    },
  };
}
