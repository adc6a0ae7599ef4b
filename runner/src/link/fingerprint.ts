import {execFile} from 'node:child_process';
import {arch, availableParallelism, platform, totalmem} from 'node:os';
import {promisify} from 'node:util';
import {agentLabel} from '@switchyard/shared/domain/labels.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {agentClis, findProgram} from '../services/agent-clis.ts';

export type MachineFacts = {
  readonly os: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Undefined when there is none. */
  readonly gitVersion: string | undefined;
  /** Agent CLIs found on the PATH, with what they say of their version. */
  readonly agents: readonly {readonly name: string; readonly version: string}[];
  readonly executors: readonly string[];
};

export type FingerprintOptions = {
  /** Where programs are looked for: the PATH that agents get. */
  readonly path: string;
  /** The home of whoever runs this: agent CLIs read their settings there even to tell their version. */
  readonly home: string;
  readonly executors: readonly string[];
  readonly deadlineMs?: number | undefined;
};

const deadlineDefaultMs = 5_000;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._=/:+-]{0,99}$/;

/** Looks at this machine. A git that does not answer in time counts as absent; nothing here throws. */
export async function machineFacts(options: FingerprintOptions): Promise<MachineFacts> {
  const [git, ...agents] = await Promise.all([
    versionOf('git', options),
    ...agentClis
      .filter(({program}) => findProgram(program, options.path) !== undefined)
      // One that is slow to tell its version is still there: tasks that need it must find this machine.
      .map(async ({name, program}) => ({name, version: (await versionOf(program, options)) ?? 'unknown'})),
  ]);
  return {
    os: osName(platform()),
    arch: arch(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    gitVersion: git,
    agents,
    executors: options.executors,
  };
}

/** What tasks may require or prefer. The bundled agent needs nothing and is always there. */
export function labelsOf(facts: MachineFacts, own: readonly string[]): readonly string[] {
  const labels = [
    `os=${facts.os}`,
    `arch=${facts.arch}`,
    ...facts.executors.map(executor => `executor=${executor}`),
    'agent=exec',
    'agent=scripted',
    ...facts.agents.map(({name}) => agentLabel(name)),
    ...own,
  ];
  return [...new Set(labels)].filter(label => labelPattern.test(label)).slice(0, limits.labelsMax);
}

function osName(name: NodeJS.Platform): string {
  return name === 'darwin' ? 'macos' : name === 'win32' ? 'windows' : name;
}

async function versionOf(
  name: string,
  {path, home, deadlineMs = deadlineDefaultMs}: FingerprintOptions,
): Promise<string | undefined> {
  const program = findProgram(name, path);
  if (program === undefined) return undefined;
  try {
    const {stdout} = await promisify(execFile)(program, ['--version'], {
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
      maxBuffer: 65_536,
      env: {PATH: path, LC_ALL: 'C', HOME: home},
    });
    return /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? 'unknown';
  } catch {
    return undefined;
  }
}
