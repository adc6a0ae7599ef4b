import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {expect, onTestFinished} from 'vitest';
import {newTaskId} from '@switchyard/shared/domain/id.ts';
import {createGit} from '../../../runner/src/worktree/git.ts';
import {MirrorLocks} from '../../../runner/src/worktree/mirror-lock.ts';
import {Mirrors} from '../../../runner/src/worktree/mirror.ts';
import type {Worktree, WorktreeContext} from '../../../runner/src/worktree/places.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';

export const author = {name: 'Tess Ter', email: 'tess@example.test'};
/** One for each file: processes are found and ended by the name of their attempt, and several files run at once. */
export const task: string = newTaskId(Date.now(), randomBytes);

export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'worktree-')));
  onTestFinished(() => expect.poll(() => isRemoved(path)).toBe(true));
  return path;
}

/** The trash is emptied by a process of its own, and two that delete one tree get in each other's way: try until it is gone. */
function isRemoved(path: string): boolean {
  try {
    rmSync(path, {recursive: true, force: true});
  } catch {
    return false;
  }
  return !existsSync(path);
}

/** Runs the git of a person or an agent, with plain settings of its own. Returns what it printed. */
export function sh(cwd: string, ...args: string[]): string {
  const identity = {
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.test',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.test',
  };
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: cwd,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    ...identity,
  };
  return execFileSync('git', args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  }).trimEnd();
}

export function put(root: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), {recursive: true});
  writeFileSync(join(root, path), content);
}

export function commitAll(cwd: string, message = 'change'): string {
  sh(cwd, 'add', '-A', '-f');
  sh(cwd, 'commit', '-q', '--no-verify', '-m', message);
  return sh(cwd, 'rev-parse', 'HEAD');
}

/** A repository with a work tree, as a person has it: `main` checked out, two files, one commit. */
export function makeUpstream(root: string, name = 'acme'): string {
  const path = join(root, 'upstream', name);
  mkdirSync(path, {recursive: true});
  sh(path, 'init', '-q', '-b', 'main');
  put(path, 'README.md', 'hello\n');
  put(path, 'src/a.txt', 'one\ntwo\nthree\n');
  put(path, '.gitignore', 'ignored/\n');
  commitAll(path, 'first');
  return path;
}

export function makeContext(base: string): WorktreeContext {
  const root = join(base, 'root');
  mkdirSync(root, {recursive: true});
  const randomHex = () => randomBytes(8).toString('hex');
  const git = createGit({program: 'git', searchPath: process.env['PATH'] ?? '', home: base});
  return {root, git, locks: new MirrorLocks(), now: () => Date.now(), randomHex};
}

export interface Ground {
  readonly base: string;
  readonly upstream: string;
  readonly context: WorktreeContext;
  readonly mirrors: Mirrors;
}

export function makeGround(): Ground {
  const base = temporaryDirectory();
  const upstream = makeUpstream(base);
  const context = makeContext(base);
  return {base, upstream, context, mirrors: new Mirrors(context)};
}

export async function makeWorktree(ground: Ground, epoch = 1, taskId = task): Promise<Worktree> {
  const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
  const {sha} = await ground.mirrors.resolveBase(mirror, undefined);
  return (await addWorktree(ground.context, {mirror, task: taskId, epoch, baseSha: sha})).worktree;
}

/** The code of a refused call, for tables. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
