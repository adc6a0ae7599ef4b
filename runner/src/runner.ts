import {createHash, randomBytes} from 'node:crypto';
import {mkdirSync, realpathSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {charterIntroduction} from '@switchyard/shared/domain/charter-introduction.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {AttemptLoop, type LoopStatus} from './attempt/attempt-loop.ts';
import type {WorkObserver} from './attempt/attempt-work.ts';
import {HostWork} from './attempt/host-work.ts';
import {keepUp} from './attempt/rounds.ts';
import {logAddress, runDirectoryOf} from './attempt/attempt-paths.ts';
import {ownLoginOf} from './agent/own-login.ts';
import {diskOfAgents} from './agent/nearest-real-path.ts';
import {charterOfStart, type MachineCharter} from './agent/machine-charter.ts';
import {memoryHolder, memoryOf, ownersLabels} from './agent/machine-limits.ts';
import {rulingOf} from './agent/ruling.ts';
import {AttemptModels} from './attempt/attempt-models.ts';
import {findGitCredential} from './secrets/git-credentials.ts';
import {KeyStore} from './secrets/key-store.ts';
import {modelKeys} from './secrets/model-keys.ts';
import {checkOffer} from './attempt/offer-check.ts';
import {upkeep} from './attempt/upkeep.ts';
import {agentPath} from './executor/agent-path.ts';
import {bootClock, hostBootSources} from './executor/boot-clock.ts';
import {findCgroupBase, leaveCgroupBase} from './executor/cgroup.ts';
import {isSecretName, isSecretValue, selectEnvironment} from './executor/environment.ts';
import {hostExecutor} from './executor/host-executor.ts';
import {identityOf} from './executor/process-identity.ts';
import {hostProcesses} from './executor/process-table.ts';
import {resourceUse} from './executor/resource-use.ts';
import {connectTokens, type ConnectTokens} from './link/connect-token.ts';
import type {ServerTime} from './link/envelope-check.ts';
import {labelsOf, machineFacts} from './link/fingerprint.ts';
import {FleetLink} from './link/fleet-link.ts';
import type {Link, LinkStatus} from './link/link.ts';
import {machineMetrics} from './link/machine-metrics.ts';
import {watchTime} from './link/watch-time.ts';
import {secretBytesMax, Secrets} from './logs/secrets.ts';
import {runnerKeys, type RunnerKeys} from './secrets/key-rotation.ts';
import {loadRunnerKey, type RunnerKey} from './secrets/runner-key.ts';
import {findProgram} from './services/agent-clis.ts';
import {openJournal} from './state/journal.ts';
import {agentLimitsOf, readPolicyFile, type Policy} from './state/policy-file.ts';
import {acquireStateLock} from './state/state-lock.ts';
import {Mirrors} from './worktree/mirror.ts';
import type {WorktreeContext} from './worktree/places.ts';
import {worktreeContext} from './worktree/worktree-context.ts';

export type RunnerOptions = {
  /** Identity, journal, policy, mirrors, worktrees and run directories; one process uses it at a time. */
  readonly stateDirectory: string;
  readonly slots: number;
  readonly labels: readonly string[];
  readonly version: string;
  readonly onLine: (line: string) => void;
  readonly leaseClass?: 'standard' | 'patient' | undefined;
  /** A file instead of the charter that lies on this machine, or `none`. */
  readonly charter?: {readonly file: string} | 'none' | undefined;
  /** Starts although an earlier journal was lost; see `openJournal`. */
  readonly acceptStateLoss?: boolean | undefined;
};

export type RunnerStatus = LoopStatus & {readonly link: LinkStatus};

export type RunningRunner = {
  readonly id: string;
  readonly status: () => RunnerStatus;
  /**
   * `leave-agents`: lets go of everything; the next process adopts what runs. `end-agents`: ends every attempt as
   * interrupted, reports it, and then lets go. `drain`: takes nothing more and waits until nothing is held.
   */
  readonly stop: (mode: 'leave-agents' | 'end-agents' | 'drain') => Promise<void>;
  /** Resolves when the runner has stopped; rejects when it cannot go on: a full disk, a revoked key. */
  readonly finished: Promise<void>;
};

const END_GRACE_MS = 3_000;
/** After this time a runner that ends its agents lets go of what could not be reported; the server waits for the lease. */
const END_MS_MAX = 15_000;

/** The composition root of the runner: chooses every adapter, and alone reads clock, randomness and environment. */
export async function startRunner(options: RunnerOptions): Promise<RunningRunner> {
  mkdirSync(options.stateDirectory, {recursive: true, mode: 0o700});
  const stateDirectory = realpathSync(options.stateDirectory);
  const key = await loadRunnerKey(stateDirectory);
  const {policy, isDefault} = await readPolicyFile(join(stateDirectory, 'policy.json'));
  if (isDefault) options.onLine('no policy file: everything that the pool signs is allowed on this machine');
  const {blockedNames} = selectEnvironment(process.env, policy.environment);
  if (blockedNames.length > 0) options.onLine(`kept from agents, as secrets: ${blockedNames.join(', ')}`);
  const cgroupBase = await findCgroupBase(`switchyard-${shortHash(stateDirectory)}`);
  const place = {stateDirectory, home: homedir(), memoryHeldBy: await memoryHolder(cgroupBase)};
  const charter = await charterOfStart(options.charter, place, options.onLine);
  const clock = bootClock(hostBootSources(Date.now));
  const machine = {bootId: clock.bootId, processes: hostProcesses, clock};
  const lock = acquireStateLock(stateDirectory, {
    pid: process.pid,
    start: identityOf(process.pid, machine)?.started ?? '',
    boot_id: clock.bootId,
  });
  const release = (): void => {
    leaveCgroupBase(cgroupBase);
    lock.release();
  };
  try {
    return await assemble({...options, stateDirectory}, {key, policy, charter, machine, cgroupBase, release});
  } catch (error) {
    release();
    throw error;
  }
}

type Parts = {
  readonly key: RunnerKey;
  readonly policy: Policy;
  readonly charter: MachineCharter | null;
  readonly cgroupBase: string | undefined;
  readonly machine: {bootId: string; processes: typeof hostProcesses; clock: ReturnType<typeof bootClock>};
  readonly release: () => void;
};

const randomHex = (): string => randomBytes(12).toString('hex');

async function assemble(
  options: RunnerOptions,
  {key, policy, charter, machine, cgroupBase, release}: Parts,
): Promise<RunningRunner> {
  const {stateDirectory, onLine} = options;
  const {clock} = machine;
  const owner = {policy, charter: charter?.charter ?? null};
  const {store, context} = openStores(stateDirectory, policy, onLine);
  const keys = runnerKeys({key, runnerDirectory: stateDirectory, wallMs: Date.now, randomId: randomHex, log: onLine});
  const {link, tokens, serverTime} = openLink(options, keys, clock);
  const facts = await machineFacts({
    path: agentPath(process.env['PATH'], process.execPath),
    home: homedir(),
    executors: ['host'],
  });
  const fatal = Promise.withResolvers<void>();
  // Whoever awaits `finished` hears of it; a rejection that nobody awaits must not end the process by itself.
  fatal.promise.catch(() => undefined);
  const models = new AttemptModels({
    stateDirectory,
    keys: modelKeys(store, stateDirectory),
    wallMs: Date.now,
    awakeMs: () => performance.now(),
    random: Math.random,
    use: async plan => resourceUse(runDirectoryOf(stateDirectory, plan), machine),
    limitsOf: plan => agentLimitsOf(policy, memoryOf(owner, plan.spec)),
    ownLogin: driver => ownLoginOf(policy, driver, {env: process.env, home: homedir()}),
    log: onLine,
  });
  const loop = new AttemptLoop({
    runner: key.runner,
    signingKey: () => keys.current().signingKey,
    journal: openJournal({
      directory: stateDirectory,
      bootId: clock.bootId,
      wallMs: Date.now(),
      acceptStateLoss: options.acceptStateLoss,
    }),
    link: models.over(link),
    work: told =>
      models.metered(told, observer =>
        hostWork({stateDirectory, key, tokens, clock, cgroupBase, context, observer, models, policy, charter}),
      ),
    bootMs: clock.nowMs,
    slots: Math.min(options.slots, policy.slots_max, charter?.charter.resourceLimits.maxSessions ?? Infinity),
    labels: labelsOf(facts, [...ownersLabels(owner), ...options.labels]),
    checkOffer: async offer =>
      models.offered(
        await checkOffer(offer, {
          policy,
          rules: charter?.book ?? null,
          envelope: {runner: key.runner, pool: key.pool, keys: key.dispatchKeys, serverTime, bootMs: clock.nowMs},
        }),
      ),
    metrics: async () => machineMetrics(stateDirectory),
    usedBy: async of => models.recordOf(of),
    log: onLine,
    onFatal: error => fatal.reject(error),
  });
  await models.open(loop);
  loop.start();
  const rounds = keepUp(
    async () => upkeep({stateDirectory, machine, cgroupBase, context, held: () => loop.attempts(), log: onLine}),
    onLine,
  );
  return running({loop, link, key, finish: fatal, rounds, models, release});
}

/** The secrets of this machine, and git, which asks for some of them. */
function openStores(
  directory: string,
  policy: Policy,
  log: (line: string) => void,
): {readonly store: KeyStore; readonly context: WorktreeContext} {
  const {env, platform} = process;
  const bytes = (count: number): string => randomBytes(count).toString('hex');
  const store = new KeyStore({directory, env, platform, nowMs: () => performance.now(), randomHex: bytes});
  const findCredential = findGitCredential({store, directory, policy, env, log});
  const context = worktreeContext({root: directory, env, home: homedir(), now: Date.now, randomHex, findCredential});
  return {store, context};
}

type OpenLink = {
  readonly link: Link;
  readonly tokens: ConnectTokens;
  /** Null before the first welcome. */
  readonly serverTime: () => ServerTime | null;
};

function openLink(
  {version, leaseClass, onLine}: RunnerOptions,
  keys: RunnerKeys,
  clock: Parts['machine']['clock'],
): OpenLink {
  const {runner, url} = keys.current();
  const tokens = connectTokens({
    key: keys.current,
    runner,
    host: new URL(url).host,
    wallMs: steadyWallClock(clock.nowMs),
    randomId: randomHex,
  });
  const fleet = new FleetLink({
    url,
    runner,
    signingKey: () => keys.current().signingKey,
    renewKey: keys.renew,
    tokens,
    version,
    bootId: clock.bootId,
    leaseClass: leaseClass ?? 'standard',
    random: Math.random,
    randomId: randomHex,
    log: onLine,
  });
  let known: ServerTime | null = null;
  const link = watchTime(fleet, time => {
    known = time;
  });
  return {link, tokens, serverTime: () => known};
}

type Running = {
  readonly loop: AttemptLoop;
  readonly link: Link;
  readonly key: RunnerKey;
  readonly finish: PromiseWithResolvers<void>;
  readonly rounds: AbortController;
  readonly release: () => void;
  readonly models: AttemptModels;
};

function running({loop, link, key, finish, rounds, models, release}: Running): RunningRunner {
  let stopping: Promise<void> | undefined;
  const stop = async (mode: 'leave-agents' | 'end-agents' | 'drain'): Promise<void> => {
    rounds.abort();
    if (mode === 'drain') await loop.drain();
    if (mode === 'end-agents')
      await loop.stopAll({graceMs: END_GRACE_MS, detail: 'the runner was stopped'}, AbortSignal.timeout(END_MS_MAX));
    await loop.close();
    await models.close();
    release();
    finish.resolve();
  };
  return {
    id: key.runner,
    status: () => ({...loop.status(), link: link.status()}),
    stop: async mode => (stopping ??= stop(mode)),
    finished: finish.promise,
  };
}

/** The wall clock of the start, carried on by the boot clock: somebody who sets the clock changes nothing here. */
function steadyWallClock(bootMs: () => number): () => number {
  const offsetMs = Date.now() - bootMs();
  return () => bootMs() + offsetMs;
}

type WorkParts = {
  readonly stateDirectory: string;
  readonly key: RunnerKey;
  readonly tokens: ConnectTokens;
  readonly clock: ReturnType<typeof bootClock>;
  readonly context: WorktreeContext;
  readonly observer: WorkObserver;
  readonly models: AttemptModels;
} & Pick<Parts, 'policy' | 'charter' | 'cgroupBase'>;

function hostWork({
  stateDirectory,
  key,
  tokens,
  clock,
  cgroupBase,
  context,
  observer,
  models,
  policy,
  charter,
}: WorkParts): HostWork {
  const {env} = selectEnvironment(process.env, policy.environment);
  const path = agentPath(process.env['PATH'], process.execPath);
  const secretValues = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && value.length <= secretBytesMax / 4 && (isSecretName(name) || isSecretValue(value))
      ? [value]
      : [],
  );
  return new HostWork({
    stateDirectory,
    // Only compared with times of files: a clock that somebody sets must not age a claim.
    executor: hostExecutor({clock, wallNowMs: () => performance.timeOrigin + performance.now(), cgroupBase}),
    trees: {context, mirrors: new Mirrors(context)},
    observer,
    nodePath: process.execPath,
    modelAccess: async (plan, wanted) => models.access(plan, wanted),
    tools: models.tools,
    agentProgram: name => findProgram(name, path) ?? null,
    ruling: charter === null ? null : (call, scene) => rulingOf(charter.book, call, {...scene, ...diskOfAgents}),
    introduction: charter === null ? undefined : (charterIntroduction(charter.charter) ?? undefined),
    people: {holdMs: policy.approvals.hold_ms, ttlMs: policy.approvals.expires_ms},
    agentEnvironment: {...env, PATH: path},
    logOf: plan => {
      const secrets = new Secrets();
      secrets.add(secretValues);
      return {
        secrets,
        link: {
          url: logAddress(key.url, plan),
          headers: async () => ({authorization: `Bearer ${await tokens.issue()}`, 'x-log-ticket': plan.logTicket}),
          nowMs: () => performance.now(),
          random: Math.random,
        },
      };
    },
    memoryOf: plan => memoryOf({policy, charter: charter?.charter ?? null}, plan.spec),
    deadlineUnknown: () => ({
      softMs: Math.floor(clock.nowMs()) + limits.leaseTtlMs - limits.softStopMs,
      hardMs: Math.floor(clock.nowMs()) + limits.leaseTtlMs - limits.hardKillMs,
    }),
    wait: async ms => delay(ms),
  });
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
