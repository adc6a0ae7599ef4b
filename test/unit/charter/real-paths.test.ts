import {mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {judge, type Judgement} from '@switchyard/shared/policy/charter/judge.ts';
import {diskOfAgents, nearestRealPath} from '../../../runner/src/agent/nearest-real-path.ts';
import {rulebook} from './charter-scene.ts';

function disk(): {workspace: string; outside: string} {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'charter-')));
  onTestFinished(() => rmSync(base, {recursive: true}));
  const [workspace, outside] = [join(base, 'w'), join(base, 'outside')] as const;
  for (const folder of [workspace, outside]) mkdirSync(folder);
  writeFileSync(join(workspace, 'file'), '');
  symlinkSync(join(outside, 'made-later'), join(workspace, 'dangling'));
  symlinkSync(outside, join(workspace, 'folder'));
  symlinkSync('second', join(workspace, 'first'));
  symlinkSync('first', join(workspace, 'second'));
  return {workspace, outside};
}

test('[CA31] a link is followed to what is not there yet, and a ring of links ends', () => {
  const {workspace, outside} = disk();
  for (const [path, leads] of [
    ['dangling', join(outside, 'made-later')],
    ['dangling/x', join(outside, 'made-later/x')],
    ['folder/new/x', join(outside, 'new/x')],
    ['file/x', join(workspace, 'file/x')],
    ['new/x', join(workspace, 'new/x')],
  ] as const)
    expect(nearestRealPath(join(workspace, path)), path).toBe(leads);
  expect(nearestRealPath(join(workspace, 'first/x'))).toContain(workspace);
  expect(nearestRealPath(`${workspace}/a\0b`)).toContain(workspace);
});

const book = rulebook({
  autoApprove: ['Edit files in the workspace', 'Read file operations'],
  alwaysReject: ['Write or delete files outside the workspace', {read: ['/etc/**']}],
});

test.for([
  ['reject', 'Write', {file_path: 'dangling'}],
  ['reject', 'Write', {file_path: 'folder/x'}],
  ['reject', 'Write', {file_path: 'new/../folder/x'}],
  ['approve', 'Write', {file_path: 'new/x'}],
  ['reject', 'Bash', {command: 'echo x > dangling'}],
  ['reject', 'Bash', {command: 'cat /proc/self/root/etc/hosts'}],
  ['escalate', 'Bash', {command: 'cat /proc/self/cwd/../x'}],
  ['escalate', 'Bash', {command: 'cd /proc/self && cat cwd/../x'}],
  ['reject', 'Bash', {command: 'ln -s / way && cat way/x'}],
  ['reject', 'Bash', {command: 'cat /proc/self//root/./etc/hosts'}],
] as const)('[CA31] %s: %s %j', ([decision, tool, input]) => {
  const judged: Judgement = judge(book, {tool, input}, {workspace: disk().workspace, ...diskOfAgents});
  expect(judged.decision, judged.reason).toBe(decision);
});
