import {execFileSync} from 'node:child_process';
import {readFileSync, readdirSync} from 'node:fs';

/** What the kernel says of one process. `started` is opaque: equal for the same process, different after pid reuse. */
export type ProcessEntry = {
  readonly pid: number;
  readonly parentPid: number;
  readonly groupId: number;
  /** 0 where the platform does not tell. */
  readonly sessionId: number;
  readonly started: string;
  readonly isZombie: boolean;
};

/** Reads processes from one source: `/proc` where it exists, else `ps`. */
export type ProcessSource = {
  readonly list: () => readonly ProcessEntry[];
  readonly read: (pid: number) => ProcessEntry | undefined;
};

export const procSource: ProcessSource = {
  list: () =>
    readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .flatMap(name => readProcStat(Number(name)) ?? []),
  read: readProcStat,
};

/** For macOS. Start times have a resolution of one second there. */
export const psSource: ProcessSource = {
  list: () => parsePs(ps(['-axo', PS_COLUMNS])),
  read: pid => parsePs(ps(['-o', PS_COLUMNS, '-p', String(pid)]))[0],
};

export const hostProcesses: ProcessSource = process.platform === 'linux' ? procSource : psSource;

/** Field numbers are those of proc(5); the name in parentheses may itself hold spaces and parentheses. */
export function parseProcStat(text: string): ProcessEntry | undefined {
  const [, pid] = /^([1-9]\d*) \(/.exec(text) ?? [];
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid, groupId, sessionId] = fields;
  const started = fields[22 - 3];
  const isWhole = [parentPid, groupId, sessionId, started].every(field => /^-?\d+$/.test(field ?? ''));
  if (pid === undefined || started === undefined || !isWhole) return undefined;
  return {
    pid: Number(pid),
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    started,
    isZombie: state === 'Z' || state === 'X',
  };
}

function readProcStat(pid: number): ProcessEntry | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // it ended in between
  }
}

const PS_COLUMNS = 'pid=,ppid=,pgid=,stat=,lstart=';
const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/;

function ps(args: readonly string[]): string {
  try {
    const env = {LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin'};
    return execFileSync('ps', args, {
      encoding: 'utf8',
      env,
      timeout: 10_000,
      maxBuffer: 16 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return ''; // ps fails when no process has the pid
  }
}

export function parsePs(text: string): ProcessEntry[] {
  return text.split('\n').flatMap(line => {
    const [, pid, parentPid, groupId, state, started] = PS_LINE.exec(line) ?? [];
    if (pid === undefined || state === undefined || started === undefined) return [];
    const numbers = {pid: Number(pid), parentPid: Number(parentPid), groupId: Number(groupId), sessionId: 0};
    return [{...numbers, started: started.split(/\s+/).join('_'), isZombie: state.startsWith('Z')}];
  });
}
