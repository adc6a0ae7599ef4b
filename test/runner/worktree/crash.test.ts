import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {describe, expect, test} from 'vitest';
import {Mirrors} from '../../../runner/src/worktree/mirror.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';
import {commitAll, makeGround, put, sh, task} from './ground.ts';

const fixture = join(import.meta.dirname, 'fixtures', 'add-worktree.ts');

/** Kills the adding process when it announces `step`, plus a moment that differs from run to run of the table. */
async function addAndKill(args: readonly string[], step: string): Promise<boolean> {
  const child = spawn(process.execPath, [fixture, ...args], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
  let wasKilled = false;
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith(step)) wasKilled = child.kill('SIGKILL');
  }
  await ended;
  return wasKilled;
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
});
