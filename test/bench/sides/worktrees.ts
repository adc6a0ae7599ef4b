import {spawn, spawnSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdirSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {createGit} from '../../../runner/src/worktree/git.ts';
import {MirrorLocks} from '../../../runner/src/worktree/mirror-lock.ts';
import {Mirrors} from '../../../runner/src/worktree/mirror.ts';
import type {WorktreeContext} from '../../../runner/src/worktree/places.ts';
import {removeWorktree} from '../../../runner/src/worktree/remove.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';

/** Trees of one repository on one side. Names are never used twice. */
export type Trees = {
  readonly name: string;
  /** Rejects when there is no tree afterwards. */
  readonly claim: (name: string) => Promise<void>;
  readonly release: (name: string) => Promise<void>;
  /** Resolves when what releases left to do in the background is done. */
  readonly settled: () => Promise<void>;
};

const settleMsMax = 120_000;

/** As shipped: a bare mirror, one tree for each attempt, removal by renaming. */
export async function switchyardTrees(name: string, root: string, upstream: string): Promise<Trees> {
  mkdirSync(root);
  const randomHex = (): string => randomBytes(8).toString('hex');
  const context: WorktreeContext = {
    root,
    git: createGit({program: 'git', searchPath: process.env['PATH'] ?? '', home: root}),
    locks: new MirrorLocks(),
    now: () => Date.now(),
    randomHex,
  };
  const mirrors = new Mirrors(context);
  const mirror = await mirrors.sync(parseRepository(upstream));
  const {sha: baseSha} = await mirrors.resolveBase(mirror, undefined);
  const trees = new Map<string, Awaited<ReturnType<typeof addWorktree>>['worktree']>();
  return {
    name,
    claim: async task => {
      const {worktree} = await addWorktree(context, {mirror, task, epoch: 1, baseSha});
      trees.set(task, worktree);
    },
    release: async task => {
      const worktree = trees.get(task);
      if (worktree === undefined) throw new Error(`there is no tree ${task}`);
      trees.delete(task);
      await removeWorktree(context, worktree);
    },
    settled: async () => {
      const deadlineMs = performance.now() + settleMsMax;
      while (trashOf(root).length > 0) {
        if (performance.now() > deadlineMs) throw new Error(`${root}/trash was not empty in time`);
        await delay(20);
      }
    },
  };
}

function trashOf(root: string): readonly string[] {
  try {
    return readdirSync(join(root, 'trash'));
  } catch {
    return [];
  }
}

/** What the tools of the field call: a branch that follows the remote one, and removal by force. */
export async function plainTrees(name: string, root: string, upstream: string): Promise<Trees> {
  mkdirSync(root);
  const clone = join(root, 'clone');
  spawnSync('git', ['clone', '--quiet', '--no-local', upstream, clone], {stdio: 'inherit'});
  const path = (tree: string): string => join(root, 'trees', tree);
  return {
    name,
    claim: tree => git(clone, ['worktree', 'add', '--quiet', '-b', tree, path(tree), 'origin/main']),
    release: tree => git(clone, ['worktree', 'remove', '--force', path(tree)]),
    settled: () => Promise.resolve(),
  };
}

async function git(cwd: string, args: readonly string[]): Promise<void> {
  const child = spawn('git', args, {cwd, stdio: ['ignore', 'ignore', 'pipe']});
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`git ${args[1] ?? ''}: ${errors.trim()}`);
}
