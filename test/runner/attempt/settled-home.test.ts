import {existsSync, mkdirSync, readFileSync, renameSync, symlinkSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect, test} from 'vitest';
import {acpAgents} from '../../../runner/src/agent/acp/acp-agent.ts';
import {settleHome} from '../../../runner/src/attempt/settled-home.ts';
import {makeGround, put} from '../worktree/ground.ts';

const sessions = {
  codex: ['.codex/sessions/2026/11/rollout.jsonl', '.codex/state_5.sqlite', '.codex/state_5.sqlite-wal'],
  gemini: ['.gemini/projects.json', '.gemini/tmp/wt/.project_root', '.gemini/tmp/wt/chats/session.jsonl'],
  opencode: ['.local/share/opencode/opencode.db', '.local/share/opencode/opencode.db-wal'],
} as const;
const planted = [
  '.codex/hooks.json',
  '.codex/shell_snapshots/a.sh',
  '.gemini/extensions/evil/gemini-extension.json',
  '.gemini/policies/evil.toml',
  '.gemini/tmp/bin/rg',
  '.config/opencode/plugin/evil.js',
  '.local/share/opencode/bin/rg',
  '.profile',
];
const settings = {path: '.codex/config.toml', text: 'ours'};

function home() {
  const {context} = makeGround();
  const path = join(context.root, 'agents', 'tsk', 'home');
  for (const name of [...Object.values(sessions).flat(), ...planted]) {
    mkdirSync(dirname(join(path, name)), {recursive: true});
    put(path, name, name);
  }
  return {context, path};
}

test.for(['codex', 'gemini', 'opencode'] as const)(
  '[CP24] of what %s left in its home only its session is there when it goes on',
  async name => {
    const {context, path} = home();
    const own = {files: [settings], session: acpAgents[name].sessions};
    await settleHome(context, path, own);
    // A runner that died before the start does it again.
    await settleHome(context, path, own);
    for (const file of sessions[name]) expect(readFileSync(join(path, file), 'utf8')).toBe(file);
    for (const file of planted) expect([file, existsSync(join(path, file))]).toEqual([file, false]);
    expect(readFileSync(join(path, settings.path), 'utf8')).toBe('ours');
    expect(existsSync(`${path}.left`)).toBe(false);
  },
);

test('[CP24] a start that was broken off in the middle loses nothing of the session', async () => {
  const {context, path} = home();
  renameSync(path, `${path}.left`);
  mkdirSync(join(path, '.codex'), {recursive: true});
  renameSync(join(`${path}.left`, '.codex/sessions'), join(path, '.codex/sessions'));
  await settleHome(context, path, {files: [], session: acpAgents.codex.sessions});
  for (const file of sessions.codex) expect(readFileSync(join(path, file), 'utf8')).toBe(file);
  expect(existsSync(join(path, '.profile'))).toBe(false);
});

test('[CP24] what the agent made beside its home hides nothing in it', async () => {
  const {context, path} = home();
  mkdirSync(`${path}.left`);
  await settleHome(context, path, {files: [], session: acpAgents.codex.sessions});
  for (const file of sessions.codex) expect(readFileSync(join(path, file), 'utf8')).toBe(file);
  for (const file of planted) expect([file, existsSync(join(path, file))]).toEqual([file, false]);
});

test('[CP24] a link beside the home leads nowhere', async () => {
  const {context, path} = home();
  const owners = join(context.root, 'owner');
  renameSync(path, owners);
  symlinkSync(owners, `${path}.left`);
  await settleHome(context, path, {files: [], session: acpAgents.codex.sessions});
  expect(existsSync(join(path, '.codex'))).toBe(false);
  for (const file of sessions.codex) expect(readFileSync(join(owners, file), 'utf8')).toBe(file);
});

test('[CP24] what a link in the home leads to stays where it is', async () => {
  const {context, path} = home();
  const owners = join(context.root, 'owner');
  renameSync(join(path, '.codex'), owners);
  symlinkSync(owners, join(path, '.codex'));
  await settleHome(context, path, {files: [], session: acpAgents.codex.sessions});
  expect(existsSync(join(path, '.codex'))).toBe(false);
  expect(existsSync(join(owners, 'state_5.sqlite'))).toBe(true);
});

test('[CP24] a driver that says nothing of its session keeps everything', async () => {
  const {context, path} = home();
  await settleHome(context, path, {files: [settings]});
  expect(existsSync(join(path, '.profile'))).toBe(true);
  expect(readFileSync(join(path, settings.path), 'utf8')).toBe('ours');
});
