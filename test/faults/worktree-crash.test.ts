import {spawn} from 'node:child_process';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {describe, expect, test} from 'vitest';
import {Mirrors} from '../../runner/src/worktree/mirror.ts';
import {mirrorOf, type WorktreeContext} from '../../runner/src/worktree/places.ts';
import {parseRepository} from '../../runner/src/worktree/repository-url.ts';
import {addWorktree, removeAttempt} from '../../runner/src/worktree/worktree.ts';
import {commitAll, makeGround, makeWorktree, put, sh, task, type Ground} from '../runner/worktree/ground.ts';

const fixture = join(import.meta.dirname, '..', 'runner', 'worktree', 'fixtures', 'add-worktree.ts');

/**
 * Kills the adding process when it announces `step`, plus a moment that differs from run to run. True when it came as far
 * as that: where the machine is slow to hear of it, it may have come further, or to its end.
 */
async function addAndKill(args: readonly string[], step: string): Promise<boolean> {
  const child = spawn(process.execPath, [fixture, ...args], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
  let hasBegun = false;
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith(step)) continue;
    hasBegun = true;
    child.kill('SIGKILL');
  }
  await ended;
  return hasBegun;
}

describe('a runner that is killed', () => {
  test.for(['init --bare', 'fetch --quiet', 'ls-remote --symref', 'rev-parse --verify', 'update-ref', 'reset --hard'])(
    '[WT32] after a kill at `git %s` the same add works',
    async step => {
      const ground = makeGround();
      for (let n = 0; n < 500; n += 1) put(ground.upstream, `many/${n}.txt`, `${n}\n`);
      const head = commitAll(ground.upstream, 'many');
      expect(await addAndKill([ground.base, ground.upstream, task], step)).toBe(true);

      const mirrors = new Mirrors(ground.context);
      const mirror = await mirrors.sync(parseRepository(ground.upstream));
      const {worktree} = await addWorktree(ground.context, {mirror, task, epoch: 1, baseSha: head});
      expect(sh(worktree.path, 'rev-parse', 'HEAD')).toBe(head);
      expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
      expect(readFileSync(join(worktree.path, 'many/499.txt'), 'utf8')).toBe('499\n');
    },
  );

  test.for(['init --bare', 'fetch --quiet', 'rev-parse --verify', 'update-ref', 'reset --hard'])(
    '[WT33] after a kill at `git %s` of an add its removal leaves nothing',
    async step => {
      const ground = makeGround();
      put(ground.upstream, 'more.txt', 'more\n');
      commitAll(ground.upstream, 'more');
      expect(await addAndKill([ground.base, ground.upstream, task], step)).toBe(true);
      await removeAll(ground);
    },
  );

  test.for(['rename', 'worktree prune', 'update-ref --stdin'])(
    '[WT33] after a removal that was interrupted before `%s` the next one leaves nothing',
    async step => {
      const ground = makeGround();
      const worktree = await makeWorktree(ground);
      put(worktree.path, 'work.txt', 'of the agent\n');
      const {git} = ground.context;
      const cut: WorktreeContext = {
        ...ground.context,
        git: async (args, call) => {
          if (args.join(' ').startsWith(step)) throw new Error('killed here');
          return git(args, call);
        },
        randomHex: () => {
          if (step === 'rename' && existsSync(join(ground.context.root, 'trash'))) throw new Error('killed here');
          return ground.context.randomHex();
        },
      };
      await expect(removeAttempt(cut, worktree)).rejects.toThrow('killed here');
      await removeAll(ground);
      expect(sh(worktree.mirror.path, 'show', `refs/salvage/${task}/e1:work.txt`)).toBe('of the agent');
    },
  );
});

/** Removes the attempt, whatever there is of it, and looks for what git and the file system still know. */
async function removeAll({context, upstream}: Ground): Promise<void> {
  const repository = parseRepository(upstream);
  const mirror = mirrorOf(context.root, repository);
  await removeAttempt(context, {mirror, task, epoch: 1});
  const folder = join(context.root, 'worktrees', repository.directory);
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  if (!existsSync(mirror.path)) return;
  expect(sh(mirror.path, 'worktree', 'list').split('\n')).toHaveLength(1);
  expect(sh(mirror.path, 'for-each-ref', 'refs/heads/')).toBe('');
}
