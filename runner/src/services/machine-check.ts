import {execFile} from 'node:child_process';
import {constants, existsSync} from 'node:fs';
import {access, lstat, statfs} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {getHealth} from '@switchyard/shared/api/pool-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limitsHere, machineCharter} from '../agent/machine-charter.ts';
import {limitLine} from '../agent/machine-limits.ts';
import {findCgroupBase} from '../executor/cgroup.ts';
import {readPolicyFile} from '../state/policy-file.ts';
import {agentClis, findAgentClis, findProgram} from './agent-clis.ts';
import type {Machine} from '../executor/process-identity.ts';
import {providerNames} from '../agent/proxy/provider.ts';
import type {KeyStore} from '../secrets/key-store.ts';
import {modelKeyName} from '../secrets/model-keys.ts';
import {errnoOf} from '../state/errno.ts';
import {checkComponents} from './component-check.ts';
import type {StateLayout} from './state-layout.ts';

export type Finding = {
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do; null where nothing is to be done. */
  readonly fix: string | null;
};

export type MachineCheck = {
  readonly layout: StateLayout;
  readonly url: string;
  readonly path: string | undefined;
  readonly platform: NodeJS.Platform;
  readonly nowMs: () => number;
  readonly home: string;
  readonly keys: Pick<KeyStore, 'place' | 'trouble' | 'get'>;
  readonly machine: Machine;
};

/** git learnt `worktree add --no-track` and friends long before; 2.36 is the oldest that is tested. */
const gitOldest = [2, 36] as const;
const nodeOldest = 24;
const diskFailBytes = 1_073_741_824;
const diskWarnBytes = 5_368_709_120;
/** A signed request is refused beyond five minutes; a clock that is a minute off is on its way there. */
const clockWarnMs = 60_000;
const clockFailMs = 300_000;
const commandMs = 5_000;

/** Tries each thing that a runner or a command needs. One that cannot be tried is itself a finding. */
export async function checkMachine(check: MachineCheck): Promise<readonly Finding[]> {
  const parts = [
    nodeFinding,
    gitFinding,
    tmuxFinding,
    diskFinding,
    stateFinding,
    cgroupFinding,
    policyFinding,
    charterFinding,
    limitsFinding,
    agentFinding,
    keysFinding,
  ];
  const local = Promise.all(parts.map(async part => part(check)));
  const [findings, components, reached] = await Promise.all([
    local,
    componentFindings(check),
    controlPlaneFindings(check),
  ]);
  return [...findings, ...components, ...reached];
}

const ok = (name: string, detail: string): Finding => ({name, level: 'ok', detail, fix: null});

function nodeFinding(): Finding {
  const {node} = process.versions;
  if (Number.parseInt(node, 10) >= nodeOldest) return ok('node', node);
  return {
    name: 'node',
    level: 'fail',
    detail: `${node}, expected ${nodeOldest} or newer`,
    fix: 'Run npm start once: it brings the right Node.',
  };
}

async function gitFinding({path, platform}: MachineCheck): Promise<Finding> {
  const found = await versionOf('git', ['--version'], path);
  if (found === undefined) return {name: 'git', level: 'fail', detail: 'not found', fix: installHint('git', platform)};
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const isNew = major > gitOldest[0] || (major === gitOldest[0] && minor >= gitOldest[1]);
  if (isNew) return ok('git', found);
  return {
    name: 'git',
    level: 'fail',
    detail: `${found}, expected ${gitOldest.join('.')} or newer`,
    fix: installHint('git', platform),
  };
}

async function tmuxFinding({path, platform}: MachineCheck): Promise<Finding> {
  const found = await versionOf('tmux', ['-V'], path);
  if (found !== undefined) return ok('tmux', found);
  return {
    name: 'tmux',
    level: 'warn',
    detail: 'not found: switchyard attach needs it',
    fix: installHint('tmux', platform),
  };
}

async function diskFinding({layout}: MachineCheck): Promise<Finding> {
  const {bavail, bsize} = await statfs(existing(layout.root));
  const free = bavail * bsize;
  const detail = `${(free / 1_073_741_824).toFixed(1)} GiB free`;
  if (free >= diskWarnBytes) return ok('disk', detail);
  const level = free < diskFailBytes ? 'fail' : 'warn';
  return {name: 'disk', level, detail, fix: `Free space on the disk of ${layout.root}.`};
}

async function stateFinding({layout: {root}}: MachineCheck): Promise<Finding> {
  try {
    const {mode, uid} = await lstat(root);
    const isOwn = process.getuid === undefined || uid === process.getuid();
    if (!isOwn)
      return {
        name: 'state',
        level: 'fail',
        detail: `${root} belongs to user ${uid}`,
        fix: 'Choose another directory with --state.',
      };
    if ((mode & 0o077) === 0) return ok('state', root);
    return {name: 'state', level: 'fail', detail: `${root} is open to others`, fix: `Run chmod 700 ${root}`};
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return unusable(root, error);
    return access(existing(root), constants.W_OK | constants.X_OK).then(
      () => ok('state', `${root} is made at the first start`),
      (refusal: unknown) => unusable(root, refusal),
    );
  }
}

function unusable(root: string, error: unknown): Finding {
  const detail = `${root}: ${errnoOf(error) ?? String(error)}`;
  return {name: 'state', level: 'fail', detail, fix: 'Choose another directory with --state.'};
}

/** The directory itself, or the nearest one above it that is there. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

async function cgroupFinding({platform}: MachineCheck): Promise<Finding> {
  if (platform !== 'linux') return ok('kill', 'by process group and marks (this system has no cgroups)');
  const base = await findCgroupBase();
  if (base !== undefined) return ok('kill', `by cgroup under ${base}`);
  return {
    name: 'kill',
    level: 'warn',
    detail: 'by process group and marks: no cgroup v2 is delegated to this user',
    fix: 'Run the runner as a service of systemd (switchyard runner service install), or go on: nothing is missing but a second net.',
  };
}

async function policyFinding({layout}: MachineCheck): Promise<Finding> {
  const path = join(layout.runnerDirectory, 'policy.json');
  try {
    const {isDefault} = await readPolicyFile(path);
    if (!isDefault) return ok('policy', path);
    return {
      name: 'policy',
      level: 'warn',
      detail: 'none: tasks of the pool may do on this machine what its user may do',
      fix: `Write ${path} to narrow repositories, commands and times.`,
    };
  } catch (error) {
    const detail = error instanceof SwitchyardError ? error.detail : String(error);
    return {name: 'policy', level: 'fail', detail, fix: 'Correct the file: the runner does not start with it.'};
  }
}

async function charterFinding({layout, home}: MachineCheck): Promise<Finding> {
  try {
    const found = await machineCharter({stateDirectory: layout.runnerDirectory, home}, () => undefined);
    if (found === null) return ok('charter', 'none: the profile of a task alone decides what its agent may do');
    if (found.passedOver === null) return ok('charter', `${found.path} (${found.why})`);
    const detail = `${found.path} is in force, ${found.passedOver} is not`;
    return {name: 'charter', level: 'warn', detail, fix: 'Keep one: two are never merged.'};
  } catch (error) {
    const detail = error instanceof SwitchyardError ? error.detail : String(error);
    return {name: 'charter', level: 'fail', detail, fix: 'The runner does not start with it.'};
  }
}

async function limitsFinding({layout, home, platform}: MachineCheck): Promise<Finding> {
  // Files that cannot be read are findings of their own.
  const held = await limitsHere({stateDirectory: layout.runnerDirectory, home}).catch(() => []);
  if (held.length === 0) return ok('limits', 'none beside those of tasks: no charter and no policy states one');
  const detail = held.map(limitLine).join('; ');
  if (platform !== 'linux' || !held.some(({heldBy}) => heldBy === 'samples')) return ok('limits', detail);
  const fix =
    'Run the runner as a service of systemd (switchyard runner service install): the kernel holds memory there.';
  return {name: 'limits', level: 'warn', detail, fix};
}

function agentFinding({path}: MachineCheck): Finding {
  const found = findAgentClis(path);
  if (found.length > 0) return ok('agents', ['scripted (bundled)', ...found.map(({name}) => name)].join(', '));
  return {
    name: 'agents',
    level: 'warn',
    detail: 'only the bundled scripted agent, which uses no model',
    fix: `Install one, such as ${agentClis
      .map(({title, install}) => `${title}: ${install}`)
      .slice(0, 2)
      .join('; ')}.`,
  };
}

const noKeys: Finding = {
  name: 'keys',
  level: 'ok',
  detail: 'none is stored: agents that need a model have none',
  fix: 'Run switchyard keys set anthropic, or another provider, to use such agents.',
};

/** Keys that cannot be read stop every agent that needs a model, so they are tried, not only looked for. */
async function keysFinding({keys}: MachineCheck): Promise<Finding> {
  try {
    const place = await keys.place();
    if (place === undefined) return noKeys;
    const trouble = await keys.trouble(providerNames.map(modelKeyName));
    if (trouble !== undefined)
      return {name: 'keys', level: 'fail', detail: trouble, fix: `Open ${place.vault.place}, or move them to a file.`};
    const values = await Promise.all(
      providerNames.map(async name => [name, await keys.get(modelKeyName(name))] as const),
    );
    const stored = values.flatMap(([name, value]) => (value === undefined ? [] : [name]));
    if (stored.length === 0) return noKeys;
    const where = `${stored.join(', ')} in ${place.vault.place}`;
    if (place.osTrouble === null) return ok('keys', where);
    const detail = `${where}, encrypted; the key store of the system: ${place.osTrouble}`;
    return {name: 'keys', level: 'ok', detail, fix: 'Mend that and run switchyard keys move, or leave it so.'};
  } catch (error) {
    const detail = error instanceof SwitchyardError ? error.detail : String(error);
    return {name: 'keys', level: 'fail', detail, fix: 'switchyard keys list shows where they are.'};
  }
}

/** What `up` started here. What an `up` that was killed left of its records is said, and is no fault of the machine. */
async function componentFindings(check: MachineCheck): Promise<readonly Finding[]> {
  const checks = await checkComponents(check);
  return checks.map(({name, process: found, trouble}) => {
    if (trouble === null) return ok(name, 'alive, and answers');
    const fix = found === 'gone' ? 'switchyard up starts it again.' : 'Read its log: switchyard logs.';
    return {name, level: found === 'gone' ? 'warn' : 'fail', detail: trouble, fix};
  });
}

async function controlPlaneFindings({url, nowMs}: MachineCheck): Promise<readonly Finding[]> {
  try {
    const beforeMs = nowMs();
    const health = await apiClient({url, timeoutMs: commandMs}).call(getHealth, {});
    const offMs = Math.abs((beforeMs + nowMs()) / 2 - health.time_ms);
    return [healthFinding(url, health.checks), clockFinding(offMs)];
  } catch (error) {
    const detail = error instanceof SwitchyardError ? error.detail : String(error);
    const fix = 'Start one with switchyard up, or name another with --url.';
    return [{name: 'control plane', level: 'warn', detail, fix}];
  }
}

function healthFinding(
  url: string,
  checks: Readonly<Record<string, {readonly ok: boolean; readonly detail: string}>>,
): Finding {
  const bad = Object.entries(checks).filter(([, part]) => !part.ok);
  if (bad.length === 0) return ok('control plane', url);
  const detail = bad.map(([name, part]) => `${name}: ${part.detail}`).join(', ');
  return {name: 'control plane', level: 'fail', detail, fix: 'Read its log: switchyard logs.'};
}

function clockFinding(offMs: number): Finding {
  const detail = `${(offMs / 1_000).toFixed(1)} s off the control plane`;
  if (offMs < clockWarnMs) return ok('clock', detail);
  const level = offMs < clockFailMs ? 'warn' : 'fail';
  return {name: 'clock', level, detail, fix: 'Switch on time synchronisation: signatures are good for five minutes.'};
}

const installers: Readonly<Record<string, readonly string[]>> = {
  darwin: ['brew install'],
  linux: ['sudo apt-get install', 'sudo dnf install', 'sudo apk add'],
};

export function installHint(name: string, platform: NodeJS.Platform): string {
  const commands = (installers[platform] ?? []).map(installer => `${installer} ${name}`);
  return commands.length === 0 ? `Install ${name}.` : `Run ${commands.join(' (or ')}${')'.repeat(commands.length - 1)}`;
}

async function versionOf(name: string, args: readonly string[], path: string | undefined): Promise<string | undefined> {
  const program = findProgram(name, path);
  if (program === undefined) return undefined;
  try {
    const {stdout} = await promisify(execFile)(program, [...args], {timeout: commandMs});
    return /\d+(?:\.\d+)+[a-z]?/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}
