import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {commitRest} from '../../../runner/src/worktree/commit-rest.ts';
import {hideSettings} from '../../../runner/src/worktree/hide-settings.ts';
import {author, commitAll, makeGround, makeWorktree, put, sh} from './ground.ts';

const names = ['.codex', '.opencode', 'opencode.json'];

test('[CA26] settings of an agent are out of its tree, in any letters, and their absence is no change', async () => {
  const ground = makeGround();
  put(ground.upstream, '.codex/config.toml', '[mcp_servers.x]\n');
  put(ground.upstream, '.OpenCode/plugin/x.js', 'export {};\n');
  put(ground.upstream, 'opencode.json', '{}\n');
  put(ground.upstream, 'docs/.codex/kept', 'x\n');
  commitAll(ground.upstream);
  const worktree = await makeWorktree(ground);
  await hideSettings(ground.context, worktree, names);
  await hideSettings(ground.context, worktree, names);
  expect(readdirSync(worktree.path).filter(name => /codex|opencode/i.test(name))).toEqual([]);
  expect(existsSync(join(worktree.path, 'docs/.codex/kept'))).toBe(true);
  expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
  put(worktree.path, 'new.txt', 'x\n');
  expect(await commitRest(ground.context, worktree, {message: 'work', author})).toMatchObject({outcome: 'committed'});
  expect(sh(worktree.path, 'show', '--name-only', '--format=', 'HEAD')).toBe('new.txt');
  expect(sh(worktree.path, 'cat-file', '-t', 'HEAD:.codex/config.toml')).toBe('blob');
});

test('[CA26] a tree without them is left as it is', async () => {
  const ground = makeGround();
  const worktree = await makeWorktree(ground);
  const before = readdirSync(worktree.path);
  await hideSettings(ground.context, worktree, names);
  await hideSettings(ground.context, worktree, []);
  expect(readdirSync(worktree.path)).toEqual(before);
});
