import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync, realpathSync, rmdirSync, type Dirent} from 'node:fs';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {processes} from './processes.ts';

export type Places = {
  /** Everything of the run lies below it. */
  readonly folder: string;
  readonly runnerStates: readonly string[];
  /** Processes that are meant to be there. */
  readonly isExpected: (process: {readonly arguments: string}) => boolean;
};

/**
 * What attempts left on this machine, a line for each thing; nothing when it is clean. Runners may clean up meanwhile:
 * whatever goes while it is looked at is not left.
 */
export function leftoversOf({folder, runnerStates, isExpected}: Places): string[] {
  return [
    ...processes()
      .filter(each => each.pid !== process.pid && mentions(each, folder) && !isExpected(each))
      .map(({pid, arguments: text}) => `process ${pid}: ${text.replaceAll('\0', ' ').slice(0, 300)}`),
    ...runnerStates.flatMap(state => [
      ...journalOf(state),
      ...['runs', 'trash'].flatMap(name => namesIn(join(state, name)).map(each => `${name}/${each} in ${state}`)),
      ...treesOf(state),
      ...cgroupsOf(state).flatMap(base => namesIn(base, isAttempt).map(name => `cgroup ${join(base, name)}`)),
      ...tmuxSessionsOf(state),
    ]),
  ];
}

/** The folder that each runner keeps for its cgroups goes with the runner. What stayed in it has been reported. */
export function removeCgroups(runnerStates: readonly string[]): void {
  for (const base of runnerStates.flatMap(cgroupsOf)) {
    const attempts = namesIn(base, isAttempt).map(name => join(base, name));
    for (const path of [...attempts.map(each => join(each, 'agent')), ...attempts, base]) tryToRemove(path);
  }
}

const busyMsMax = 5_000;

function tryToRemove(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Somebody lives in it, and was reported as a process.
  }
}

function mentions({arguments: text, environment}: {arguments: string; environment: string}, folder: string): boolean {
  return text.includes(folder) || environment.includes(folder);
}

function journalOf(state: string): string[] {
  const database = new DatabaseSync(join(state, 'journal.sqlite'), {readOnly: true, timeout: busyMsMax});
  try {
    const rows = database.prepare('SELECT task, epoch, state FROM attempt').all();
    return rows.map(row => `attempt in the journal of ${state}: ${JSON.stringify(row)}`);
  } finally {
    database.close();
  }
}

/** Worktrees by folder and by what git says, and the lock files of git. */
function treesOf(state: string): string[] {
  const mirrors = namesIn(join(state, 'mirrors'))
    .map(name => join(state, 'mirrors', name))
    .filter(path => existsSync(join(path, 'HEAD')));
  return [
    ...namesIn(join(state, 'worktrees')).flatMap(repository =>
      namesIn(join(state, 'worktrees', repository)).map(name => `worktree ${repository}/${name} in ${state}`),
    ),
    ...mirrors.flatMap(mirror => [
      ...locksBelow(mirror).map(path => `lock ${path}`),
      ...listedTrees(mirror).map(line => `git lists ${line} in ${mirror}`),
    ]),
  ];
}

function listedTrees(mirror: string): string[] {
  return textOfTrees(mirror)
    .split('\n')
    .filter(line => line.startsWith('worktree ') && realPathOf(line.slice(9)) !== realPathOf(mirror));
}

/** Asked once more where git found one half removed. */
function textOfTrees(mirror: string): string {
  const ask = (): string =>
    execFileSync('git', ['-C', mirror, 'worktree', 'list', '--porcelain'], {encoding: 'utf8', stdio: 'pipe'});
  try {
    return ask();
  } catch {
    return ask();
  }
}

/** The path itself where nothing is there. */
function realPathOf(path: string): string {
  return existing(() => realpathSync(path), path);
}

function locksBelow(folder: string): string[] {
  return existing<Dirent[]>(() => readdirSync(folder, {withFileTypes: true}), []).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return locksBelow(path);
    return entry.name.endsWith('.lock') && existsSync(path) ? [path] : [];
  });
}

function cgroupsOf(state: string): string[] {
  const name = `switchyard-${createHash('sha256').update(realpathSync(state)).digest('hex').slice(0, 8)}`;
  const own = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, , type]) => type === 'cgroup2');
  return [...new Set(mounts.flatMap(([, at = '']) => [join(at, name), join(at, own, name)]))].filter(existsSync);
}

function tmuxSessionsOf(state: string): string[] {
  const socket = join(state, 'tmux.sock');
  return existsSync(socket) ? [`tmux server ${socket}`] : [];
}

const isAttempt = (name: string): boolean => name.startsWith('tsk_');

function namesIn(folder: string, isMeant: (name: string) => boolean = () => true): string[] {
  return existing(() => readdirSync(folder), []).filter(isMeant);
}

/** What is asked of a place, or the other answer where there is none, or no longer one. */
function existing<Answer>(ask: () => Answer, otherwise: Answer): Answer {
  try {
    return ask();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENODEV') return otherwise;
    throw error;
  }
}
