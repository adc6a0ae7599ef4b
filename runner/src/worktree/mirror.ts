import {appendFile, copyFile, mkdir, readdir, readFile, rename, stat, writeFile} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {branchProblem} from './branch-name.ts';
import {gitFailure, runGit, textOf, type GitResult} from './git.ts';
import {isFullSha, lockPath, mirrorOf, type Mirror, type WorktreeContext} from './places.ts';
import {discard} from './remove.ts';
import {remoteFailure} from './remote-failure.ts';
import type {Repository} from './repository-url.ts';
import {mirrorGit, sealedConfigPath, type BoundCall} from './sealed-git.ts';
import {errnoOf} from '../state/errno.ts';

const networkDeadlineMs = 15 * 60_000;

export interface MirrorAccess {
  /** A mirror that was fetched less than this ago is taken as it is; 0 asks for a fetch. */
  readonly freshMs?: number | undefined;
  readonly deadlineMs?: number | undefined;
  /** Ends the wait of this caller only: a fetch may be shared and runs on for the others. */
  readonly signal?: AbortSignal | undefined;
}

export interface Base {
  readonly sha: string;
  /** Undefined when the base was given as a commit id. */
  readonly branch: string | undefined;
}

/**
 * The bare mirrors of one runner. Upstream's branches are kept under `refs/remotes/origin/`, so that neither a fetch
 * nor its pruning ever touches a branch of an attempt (`refs/heads/switchyard/`).
 */
export class Mirrors {
  readonly #context: WorktreeContext;
  readonly #fetches = new Map<string, Promise<Mirror>>();
  readonly #fetchedAtMs = new Map<string, number>();
  readonly #sound = new Set<string>();

  constructor(context: WorktreeContext) {
    this.#context = context;
  }

  /**
   * The mirror of a repository, made or fetched when needed; callers that arrive during a fetch share it. A corrupt
   * mirror is moved aside and made again. Throws `repository_unreachable`, `git_failed`, `disk_full`.
   */
  async sync(repository: Repository, access: MirrorAccess = {}): Promise<Mirror> {
    const mirror = mirrorOf(this.#context.root, repository);
    const fetchedAtMs = this.#fetchedAtMs.get(mirror.path);
    const isFresh = fetchedAtMs !== undefined && this.#context.now() - fetchedAtMs < (access.freshMs ?? 0);
    if (isFresh && (await isPresent(mirror))) return mirror;
    let running = this.#fetches.get(mirror.path);
    if (running === undefined) {
      running = this.#update(mirror, access).finally(() => this.#fetches.delete(mirror.path));
      this.#fetches.set(mirror.path, running);
    }
    return orAborted(running, access.signal);
  }

  /**
   * The commit that a task starts from: a branch of upstream, a full commit id, or upstream's default branch. A branch
   * that the mirror does not know is looked for once more after a fetch. Throws `base_not_found`, `branch_invalid`.
   */
  async resolveBase(mirror: Mirror, base: string | undefined, access: MirrorAccess = {}): Promise<Base> {
    if (base !== undefined && isFullSha(base))
      return {sha: await this.#resolveCommit(mirror, base, access), branch: undefined};
    if (base !== undefined) {
      const problem = branchProblem(base);
      if (problem !== undefined)
        throw new SwitchyardError(
          'branch_invalid',
          `The base ${JSON.stringify(base.slice(0, 200))} was refused: ${problem}.`,
        );
    }
    const found = await this.#find(mirror, base);
    if (found !== undefined) return found;
    const again = await this.sync(mirror.repository, {...access, freshMs: 0});
    const foundLater = await this.#find(again, base);
    if (foundLater !== undefined) return foundLater;
    throw new SwitchyardError(
      'base_not_found',
      base === undefined
        ? `${mirror.repository.id} has no default branch with a commit.`
        : `${mirror.repository.id} has no branch ${base}.`,
    );
  }

  async #find(mirror: Mirror, base: string | undefined): Promise<Base | undefined> {
    const git = mirrorGit(this.#context, mirror);
    let branch = base;
    if (branch === undefined) {
      const head = await git(['symbolic-ref', '--quiet', 'refs/remotes/origin/HEAD']);
      branch = textOf(head.stdout).replace(/^refs\/remotes\/origin\//, '');
      if (head.exitCode !== 0 || branchProblem(branch) !== undefined) return undefined;
    }
    const commit = await git(['rev-parse', '--verify', '--quiet', `refs/remotes/origin/${branch}^{commit}`]);
    return commit.exitCode === 0 ? {sha: textOf(commit.stdout), branch} : undefined;
  }

  async #resolveCommit(mirror: Mirror, sha: string, access: MirrorAccess): Promise<string> {
    const git = mirrorGit(this.#context, mirror);
    const isKnown = async () => (await git(['cat-file', '-e', `${sha}^{commit}`])).exitCode === 0;
    if (await isKnown()) return sha;
    await git(['fetch', ...fetchOptions, mirror.repository.url, sha], {...networkCall(access), signal: access.signal});
    if (await isKnown()) return sha;
    throw new SwitchyardError('base_not_found', `${mirror.repository.id} does not give out a commit ${sha}.`);
  }

  async #update(mirror: Mirror, access: MirrorAccess): Promise<Mirror> {
    const deadlineMs = access.deadlineMs ?? networkDeadlineMs;
    return this.#context.locks.hold(
      `${mirror.path}.fetch.lock`,
      async () => {
        const startedAtMs = this.#context.now();
        if (!(await this.#isSound(mirror))) await this.#remake(mirror, access);
        else {
          const result = await this.#fetchInto(mirror, access);
          if (result.exitCode !== 0 && (await isDamaged(this.#context, mirror))) await this.#remake(mirror, access);
          else if (result.exitCode !== 0) throw unreachable(mirror, result);
        }
        this.#sound.add(mirror.path);
        this.#fetchedAtMs.set(mirror.path, startedAtMs);
        return mirror;
      },
      {deadlineMs},
    );
  }

  async #isSound(mirror: Mirror): Promise<boolean> {
    if (!(await isPresent(mirror))) return false;
    return this.#sound.has(mirror.path) || !(await isDamaged(this.#context, mirror));
  }

  /** A damaged mirror is kept until what attempts left in it was carried over, as far as git can still read it. */
  async #remake(mirror: Mirror, access: MirrorAccess): Promise<void> {
    const context = this.#context;
    this.#sound.delete(mirror.path);
    const draft = await createDraft(context, mirror);
    try {
      const result = await this.#fetchInto(draft, access);
      if (result.exitCode !== 0) throw unreachable(mirror, result);
      await context.locks.hold(lockPath(mirror), async () => {
        await rename(mirror.path, `${mirror.path}.corrupt-${context.randomHex()}`).catch(ignoreMissing);
        for (const damagedPath of await siblings(mirror, 'corrupt')) await carryOver(context, draft, damagedPath);
        await rename(sealedConfigPath(draft), sealedConfigPath(mirror));
        await rename(draft.path, mirror.path);
      });
    } finally {
      const leftovers = (await isPresent(mirror)) ? await siblings(mirror, 'corrupt') : [];
      for (const path of [...leftovers, ...(await siblings(mirror, 'new'))]) await discard(context, path);
    }
  }

  async #fetchInto(mirror: Mirror, access: MirrorAccess): Promise<GitResult> {
    const git = mirrorGit(this.#context, mirror);
    const call = networkCall(access);
    const {url} = mirror.repository;
    // Both are waited for even if one throws: nobody may write into a draft that is thrown away.
    const [fetched, remote] = await Promise.allSettled([
      git(['fetch', ...fetchOptions, '--prune', url, '+refs/heads/*:refs/remotes/origin/*'], call),
      git(['ls-remote', '--symref', '--quiet', url, 'HEAD'], call),
    ]);
    if (fetched.status === 'rejected') throw fetched.reason;
    if (remote.status === 'rejected') throw remote.reason;
    const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(textOf(remote.value.stdout))?.[1];
    if (fetched.value.exitCode === 0 && branch !== undefined && branchProblem(branch) === undefined) {
      await git(['symbolic-ref', 'refs/remotes/origin/HEAD', `refs/remotes/origin/${branch}`]);
    }
    return fetched.value;
  }
}

function networkCall(access: MirrorAccess): BoundCall {
  return {
    deadlineMs: access.deadlineMs ?? networkDeadlineMs,
    lateCode: 'repository_unreachable',
  };
}

const fetchOptions = [
  '--quiet',
  '--no-tags',
  '--no-recurse-submodules',
  '--no-auto-maintenance',
  '--no-write-fetch-head',
] as const;

/** A bare repository beside the place of the mirror; it is renamed when it is complete, so a mirror is whole or absent. */
async function createDraft(context: WorktreeContext, mirror: Mirror): Promise<Mirror> {
  const draft: Mirror = {repository: mirror.repository, path: `${mirror.path}.new-${context.randomHex()}`};
  const parent = dirname(mirror.path);
  await mkdir(parent, {recursive: true});
  await runGit(context.git, ['init', '--bare', '--quiet', '--template=', '--initial-branch=main', draft.path], {
    cwd: parent,
  });
  await appendFile(join(draft.path, 'config'), mirrorConfig(mirror.repository));
  await copyFile(join(draft.path, 'config'), sealedConfigPath(draft));
  return draft;
}

/** Ref by ref, because one that cannot be read would hold back all others. */
async function carryOver(context: WorktreeContext, draft: Mirror, damagedPath: string): Promise<void> {
  const head = join(damagedPath, 'HEAD');
  const isHead = (await readFile(head, 'utf8').catch(() => '')).startsWith('ref: refs/');
  if (!isHead) await writeFile(head, 'ref: refs/heads/main\n').catch(() => undefined);
  await copyFile(sealedConfigPath(draft), join(damagedPath, 'config')).catch(() => undefined);
  const call = {cwd: damagedPath, gitDir: damagedPath};
  const refs = await context.git(
    ['for-each-ref', '--format=%(refname)', 'refs/heads/switchyard/', 'refs/salvage/'],
    call,
  );
  for (const name of textOf(refs.stdout)
    .split('\n')
    .filter(line => line !== '')) {
    await mirrorGit(context, draft)(['fetch', ...fetchOptions, pathToFileURL(damagedPath).href, `+${name}:${name}`]);
  }
  await rename(join(damagedPath, 'worktrees'), join(draft.path, 'worktrees')).catch(() => undefined);
}

function mirrorConfig(repository: Repository): string {
  const url = repository.url.replace(/[\\"]/g, '\\$&');
  return `[core]
\tuntrackedCache = true
\tlogAllRefUpdates = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
[remote "origin"]
\turl = "${url}"
\tfetch = +refs/heads/*:refs/remotes/origin/*
\ttagOpt = --no-tags
`;
}

/** Drafts and damaged mirrors beside a mirror. Whoever holds its fetch lock is alone with them. */
async function siblings(mirror: Mirror, kind: 'new' | 'corrupt'): Promise<string[]> {
  const parent = dirname(mirror.path);
  const names = await readdir(parent);
  return names.filter(name => name.startsWith(`${basename(mirror.path)}.${kind}-`)).map(name => join(parent, name));
}

async function isPresent(mirror: Mirror): Promise<boolean> {
  const [directory, config] = await Promise.all([
    stat(mirror.path).catch(() => undefined),
    stat(sealedConfigPath(mirror)).catch(() => undefined),
  ]);
  return directory?.isDirectory() === true && config?.isFile() === true;
}

/** A light check: git recognises the repository, and the commit behind every branch of upstream can be read. */
async function isDamaged(context: WorktreeContext, mirror: Mirror): Promise<boolean> {
  const git = mirrorGit(context, mirror);
  const bare = await git(['rev-parse', '--is-bare-repository']);
  if (bare.exitCode !== 0 || textOf(bare.stdout) !== 'true') return true;
  const refs = await git(['for-each-ref', '--format=%(objectname)^{tree}', 'refs/remotes/origin']);
  if (refs.exitCode !== 0) return true;
  const objects = await git(['cat-file', '--batch-check'], {input: refs.stdout});
  return (
    objects.exitCode !== 0 ||
    / missing$/m.test(textOf(objects.stdout)) ||
    /error|fatal|corrupt/.test(objects.stderr + refs.stderr)
  );
}

function unreachable(mirror: Mirror, result: GitResult): SwitchyardError {
  if (/cannot lock ref|Unable to create .*\.lock/.test(result.stderr)) return gitFailure(['fetch'], result);
  return remoteFailure(mirror.repository, 'could not be read', result.stderr);
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const {promise: aborted, reject} = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, {once: true});
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
