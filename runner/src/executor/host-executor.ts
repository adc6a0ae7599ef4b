import {spawn} from 'node:child_process';
import {isAbsolute, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {writeAgentInput} from './agent-input.ts';
import {attemptMark, checkAttemptName} from './attempt-name.ts';
import type {BootClock} from './boot-clock.ts';
import {cgroupOf, createCgroup} from './cgroup.ts';
import type {AgentSignal, Executor, LaunchPlan, TailOptions, WriteOptions} from './executor.ts';
import {tailFile, type TailChunk} from './file-tail.ts';
import {askToStop, endTree, killTree, type KillOutcome} from './kill-tree.ts';
import {isAlive, type Machine} from './process-identity.ts';
import {hostProcesses, type ProcessSource} from './process-table.ts';
import {
  createRunDirectory,
  readAgentIdentity,
  readShimIdentity,
  runFiles,
  writeDeadline,
  writeMeta,
  writeRunFile,
} from './run-directory.ts';
import {isFinal, readRunStatus, type RunStatus} from './run-status.ts';

export type HostExecutorOptions = {
  readonly clock: BootClock;
  readonly wallNowMs: () => number;
  /** From `findCgroupBase`; undefined keeps to process groups and markers. */
  readonly cgroupBase: string | undefined;
  readonly processes?: ProcessSource;
  /** How long SIGKILL lets the tree end by itself after a SIGTERM; 0 by default. */
  readonly killGraceMs?: number;
};

const SHIM = fileURLToPath(new URL('shim.sh', import.meta.url));
/** The shim finds its tools here, whatever PATH the agent gets. */
const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin';
const AGENT_PATH = `/usr/local/bin:${SYSTEM_PATH}`;
const LAUNCH_MS_MAX = 10_000;
const WRITE_MS_MAX = 10_000;
const POLL_MS = 3;

/** Runs agents as processes of this user on this machine. */
export function hostExecutor(options: HostExecutorOptions): Executor {
  const processes = options.processes ?? hostProcesses;
  const machine = {bootId: options.clock.bootId, processes, clock: options.clock};
  const status = (runDir: string): Promise<RunStatus> => readRunStatus(runDir, machine, options.wallNowMs);
  const writeQueues = new Map<string, Promise<void>>();
  return {
    kind: 'host',
    status,
    launch: (plan, runDir) => launch(plan, runDir, status, options.cgroupBase),
    tail: (runDir, tail) => tailChannel(runDir, tail, async () => isLogWhole(runDir, status, machine)),
    write: (runDir, bytes, how = {}) => inTurn(writeQueues, runDir, () => write(runDir, bytes, how, status)),
    signal: (runDir, signal, reason = 'cancelled') =>
      deliver(runDir, signal, {reason, graceMs: options.killGraceMs ?? 0}, machine),
    refreshDeadline: writeDeadline,
  };
}

type ReadStatus = (runDir: string) => Promise<RunStatus>;

async function launch(
  plan: LaunchPlan,
  runDir: string,
  status: ReadStatus,
  cgroupBase: string | undefined,
): Promise<RunStatus> {
  checkPlan(plan, runDir);
  const before = await status(runDir);
  if (before.state !== 'absent') return before;
  await createRunDirectory(runDir);
  const cgroup = cgroupBase === undefined ? undefined : cgroupOf(cgroupBase, plan.attempt);
  // Its path is written down before it is made: whoever cleans up knows of it by this file alone.
  await writeMeta(runDir, {
    version: 1,
    ...plan.attempt,
    executor: 'host',
    channels: plan.channels,
    cwd: plan.cwd,
    ...(cgroup === undefined ? {} : {cgroup: cgroup.path}),
  });
  if (cgroup !== undefined) await createCgroup(cgroup, plan.memoryBytesMax);
  await writeDeadline(runDir, plan.deadline);
  await spawnShim(plan, runDir, cgroup?.path ?? '');
  for (const deadline = AbortSignal.timeout(LAUNCH_MS_MAX); !deadline.aborted; await wait(POLL_MS)) {
    const after = await status(runDir);
    if (after.state !== 'absent' && after.state !== 'claimed') return after;
  }
  throw new SwitchyardError('executor_unavailable', `the shim in ${runDir} did not begin in ${LAUNCH_MS_MAX} ms`);
}

function checkPlan(plan: LaunchPlan, runDir: string): void {
  checkAttemptName(plan.attempt);
  if (!isAbsolute(runDir) || !isAbsolute(plan.cwd))
    throw new SwitchyardError('invalid_request', `run directory ${runDir} and cwd ${plan.cwd} must be absolute`);
  // Shells import functions from variables with such names, so they would run inside the shim.
  const strange = Object.keys(plan.env).find(name => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (strange !== undefined)
    throw new SwitchyardError('invalid_request', `environment name ${JSON.stringify(strange)}`);
}

/** Own session, no pipe and no variable of ours: it outlives us and knows nothing of us. */
function spawnShim(plan: LaunchPlan, runDir: string, cgroup: string): Promise<void> {
  const {PATH: agentPath = AGENT_PATH, ...env} = plan.env;
  const input = plan.input === 'stream' ? runFiles.in : '/dev/null';
  const errors = plan.channels === 'merged' ? runFiles.out : runFiles.err;
  const args = [
    SHIM,
    'start',
    runDir,
    cgroup,
    attemptMark(plan.attempt),
    plan.cwd,
    agentPath,
    input,
    errors,
    ...plan.argv,
  ];
  return new Promise((resolve, reject) => {
    const shim = spawn('/bin/sh', args, {
      detached: true,
      stdio: 'ignore',
      cwd: '/',
      env: {HOME: join(runDir, runFiles.home), TMPDIR: join(runDir, runFiles.tmp), ...env, PATH: SYSTEM_PATH},
    });
    shim.once('spawn', resolve);
    shim.once('error', cause =>
      reject(new SwitchyardError('executor_unavailable', 'the shim cannot be started', {cause})),
    );
    shim.unref();
  });
}

function tailChannel(
  runDir: string,
  {channel, offset, tellsEnd = false, signal}: TailOptions,
  isComplete: () => Promise<boolean>,
): AsyncIterable<TailChunk> {
  return tailFile({
    path: join(runDir, channel),
    offset,
    isComplete,
    tellsEnd,
    ...(signal === undefined ? {} : {signal}),
  });
}

/** The shim records an exit when nobody writes any more. Where it died before, what it leaves is ended first. */
async function isLogWhole(runDir: string, status: ReadStatus, machine: Machine): Promise<boolean> {
  const run = await status(runDir);
  if (!isFinal(run)) return false;
  if (run.state === 'exited' || (run.state === 'killed' && run.code !== undefined)) return true;
  return (await endTree(runDir, machine)).survivors.length === 0;
}

async function write(
  runDir: string,
  bytes: Uint8Array,
  {end = false, timeoutMs = WRITE_MS_MAX}: WriteOptions,
  status: ReadStatus,
): Promise<void> {
  const {state} = await status(runDir);
  if (state !== 'running') throw new SwitchyardError('not_running', `the attempt in ${runDir} is ${state}`);
  await writeAgentInput(runDir, bytes, timeoutMs);
  if (end) await writeRunFile(runDir, runFiles.inEof, '');
}

/** One after the other for each key; a failure is the caller's own and does not stop those behind it. */
async function inTurn(queues: Map<string, Promise<void>>, key: string, run: () => Promise<void>): Promise<void> {
  const turn = (queues.get(key) ?? Promise.resolve()).then(run);
  const settled = turn.catch(() => undefined);
  queues.set(key, settled);
  try {
    await turn;
  } finally {
    if (queues.get(key) === settled) queues.delete(key);
  }
}

async function deliver(
  runDir: string,
  signal: AgentSignal,
  how: {reason: string; graceMs: number},
  machine: Machine & {clock: BootClock},
): Promise<KillOutcome> {
  if (signal === 'SIGKILL') return killTree(runDir, how, machine);
  if (signal === 'SIGTERM') await askToStop(runDir, machine);
  else await interrupt(runDir, machine);
  return {survivors: []};
}

async function interrupt(runDir: string, machine: Machine): Promise<void> {
  const [shim, agent] = [await readShimIdentity(runDir), await readAgentIdentity(runDir)];
  if (shim === undefined || agent === undefined || !isAlive(agent, machine)) return;
  // The file lies in reach of the agent: only a child of the shim is believed to be the agent.
  if (machine.processes.read(agent.pid)?.parentPid !== shim.pid) return;
  try {
    process.kill(-agent.pid, 'SIGINT');
  } catch {
    // It ended in between.
  }
}
