import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {acquireStateLock} from '../../../runner/src/state/state-lock.ts';
import {removeUnfinished, unfinishedPath} from '../../../runner/src/state/unfinished-files.ts';

const nowMs = Date.UTC(2026, 10, 21);
const hex = 'a1b2c3d4e5f6';
let root = '';
let ours = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'switchyard-unfinished-'));
  ours = join(root, 'ours');
  mkdirSync(ours);
});
afterEach(() => rmSync(root, {recursive: true, force: true}));

function file(path: string, ageMs: number): string {
  writeFileSync(path, path);
  utimesSync(path, (nowMs - ageMs) / 1_000, (nowMs - ageMs) / 1_000);
  return path;
}

const old = limits.unfinishedFileKeptMs + 1_000;

test('[SD5] what was left half written is removed when nobody can be writing it any more', () => {
  const left = file(unfinishedPath(join(ours, 'client.json'), hex), old);
  const young = file(unfinishedPath(join(ours, 'up.json'), hex), limits.unfinishedFileKeptMs - 1_000);
  const future = file(unfinishedPath(join(ours, 'x.json'), hex), -old);
  removeUnfinished(ours, nowMs);
  expect([left, young, future].map(existsSync)).toEqual([false, true, true]);
  removeUnfinished(join(ours, 'nothing', 'here'), nowMs);
});

test('[SD5] a second name of a state file is removed, and the file stays', () => {
  const kept = file(join(ours, 'secret.json'), old);
  linkSync(kept, unfinishedPath(kept, hex));
  removeUnfinished(ours, nowMs);
  expect(readdirSync(ours)).toEqual(['secret.json']);
});

test.for([
  'policy.json.new',
  'policy.json',
  `x.json.${hex}`,
  `x.json.${hex}.new~`,
  'x.json.A1B2C3D4E5F6.new',
  `.${hex}.new`,
  `x.${hex}0.new`,
])('[SD5] a file with another name stays: %s', name => {
  const path = file(join(ours, name), old);
  removeUnfinished(ours, nowMs);
  expect(readFileSync(path, 'utf8')).toBe(path);
});

test('[SD5] links, folders and what is in folders stay', () => {
  const outside = file(join(root, 'outside'), old);
  const link = unfinishedPath(join(ours, 'link.json'), hex);
  symlinkSync(outside, link);
  const folder = unfinishedPath(join(ours, 'folder'), hex);
  mkdirSync(folder);
  const below = file(unfinishedPath(join(folder, 'x.json'), hex), old);
  removeUnfinished(ours, nowMs + old);
  expect([outside, link, folder, below].map(existsSync)).toEqual([true, true, true, true]);
});

test('[SD5] whoever takes a state directory removes what the one before left there', () => {
  const left = unfinishedPath(join(ours, 'model-proxy.json'), hex);
  writeFileSync(left, '');
  utimesSync(left, 1, 1);
  const writing = unfinishedPath(join(ours, 'runner.json'), hex);
  writeFileSync(writing, '');
  const lock = acquireStateLock(ours, {pid: process.pid, start: 's', boot_id: 'b'});
  expect([left, writing].map(existsSync)).toEqual([false, true]);
  lock.release();
});
