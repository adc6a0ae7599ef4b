import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
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

const secrets = rulebook({alwaysReject: [{read: ['.env', 'keys/**', '~/.aws/**']}]});

const decisionOn = (workspace: string, command: string, home?: string): Judgement['decision'] =>
  judge(
    secrets,
    {tool: 'Bash', input: {command}},
    {workspace, home, ...diskOfAgents, ownerHome: join(workspace, '../owner')},
  ).decision;

const readers = ['grep -r x .', 'rg -uu x', 'cp -r . /tmp/copy', 'tar czf - .', 'zip -r x.zip .', 'rsync -a . host:'];

test.for(readers)('[CA37] what lies in a folder counts for: %s', command => {
  const {workspace, outside} = disk();
  expect(decisionOn(workspace, command)).toBe('ask-default');
  mkdirSync(join(workspace, 'a/b'), {recursive: true});
  writeFileSync(join(workspace, 'a/b/.env'), '');
  expect(decisionOn(workspace, command)).toBe('escalate');
  expect(decisionOn(workspace, command.replace(/(?<= )\.(?= |$)/, 'a/b'))).toBe('escalate');
  rmSync(join(workspace, 'a/b/.env'));
  expect(decisionOn(workspace, command)).toBe('ask-default');
  // The workspace of this disk has a link to the folder beside it.
  writeFileSync(join(outside, '.env'), '');
  expect(decisionOn(workspace, command)).toBe('escalate');
});

test('[CA37] a search that passes hidden files over does not read them', () => {
  const {workspace} = disk();
  writeFileSync(join(workspace, '.env'), '');
  expect(decisionOn(workspace, 'rg x')).toBe('ask-default');
  expect(decisionOn(workspace, 'rg --hidden x')).toBe('escalate');
  mkdirSync(join(workspace, 'keys'));
  writeFileSync(join(workspace, 'keys/a'), '');
  expect(decisionOn(workspace, 'rg x')).toBe('escalate');
  expect(decisionOn(workspace, 'wc -l *.md')).toBe('ask-default');
  expect(decisionOn(workspace, 'wc -l ke*')).toBe('escalate');
});

test('[CA37] a folder with more than can be looked through may hold everything', () => {
  const many = (count: number) => Array.from({length: count}, (_, at) => ({name: `f${at}`, mayHold: false}));
  const on = (count: number) =>
    judge(secrets, {tool: 'Bash', input: {command: 'grep -r x .'}}, {workspace: '/w', entries: () => many(count)})
      .decision;
  expect(on(limits.charterLookMax)).toBe('ask-default');
  expect(on(limits.charterLookMax + 1)).toBe('escalate');
});

test('[CA18] all that is looked up for one call together is bounded', () => {
  let looks = 0;
  const entries = () => {
    looks += 1;
    return Array.from({length: 100}, (_, at) => ({name: `f${at}`, mayHold: true}));
  };
  const command = `tar cf - ${Array.from({length: 2_000}, (_, at) => `d${at}`).join(' ')}`;
  const judged = judge(secrets, {tool: 'Bash', input: {command}}, {workspace: '/w', entries});
  expect(judged.decision).toBe('escalate');
  expect(looks).toBeLessThan((limits.charterLookMax * 5) / 100);
});

test.for([
  ['escalate', 'Grep', {pattern: 'x', output_mode: 'content'}],
  ['escalate', 'Grep', {pattern: 'x', output_mode: 'content', path: 'a'}],
  ['ask-default', 'Grep', {pattern: 'x'}],
  ['ask-default', 'Glob', {pattern: '**/*'}],
  ['reject', 'Grep', {pattern: 'x', path: 'a/.env'}],
] as const)('[CA37] %s: %s with %j', ([decision, tool, input]) => {
  const {workspace} = disk();
  mkdirSync(join(workspace, 'a'));
  writeFileSync(join(workspace, 'a/.env'), '');
  expect(judge(secrets, {tool, input}, {workspace, ...diskOfAgents}).decision).toBe(decision);
});

test('[CA39] what git keeps counts for what prints its history', () => {
  const {workspace, outside} = disk();
  const git = (...args: string[]): unknown => execFileSync('git', ['-C', workspace, ...args], {stdio: 'pipe'});
  git('init', '-q');
  for (const command of ['git log -p', 'git grep x', 'git archive HEAD']) {
    expect(decisionOn(workspace, command), command).toBe('ask-default');
  }
  mkdirSync(join(workspace, 'keys'));
  writeFileSync(join(workspace, 'keys/a name'), '');
  writeFileSync(join(workspace, 'a.txt'), '');
  git('add', 'a.txt', 'keys');
  for (const command of ['git log -p', 'git grep x', 'git archive HEAD', 'git format-patch a', 'git grep x -- keys'])
    expect(decisionOn(workspace, command), command).toBe('escalate');
  for (const command of ['git log', 'git status', 'git diff', 'git grep x -- a.txt'])
    expect(decisionOn(workspace, command), command).toBe('ask-default');
  for (const command of ['git -C .. grep x', 'git --git-dir=x log -p'])
    expect(decisionOn(outside, command), command).toBe('escalate');
  writeFileSync(join(workspace, '.git/index'), 'no index');
  expect(decisionOn(workspace, 'git log -p')).toBe('escalate');
});

test('[CA40] home is that of the owner and that of the agent', () => {
  const {workspace} = disk();
  const home = join(workspace, '../agent');
  for (const path of ['~/.aws/x', '$HOME/.aws/x', join(workspace, '../owner/.aws/x'), '../owner/.aws/x'])
    expect(decisionOn(workspace, `cat ${path}`, home), path).toBe('reject');
  expect(decisionOn(workspace, 'cat ../other/.aws/x', home)).toBe('ask-default');
  expect(diskOfAgents.ownerHome).toContain('/');
});

const pipelines = rulebook({autoApprove: ['Edit files in the workspace'], alwaysReject: ['Modify CI/CD']});

test.for([
  ['escalate', 'tar xf a.tar'],
  ['escalate', 'unzip a.zip'],
  ['escalate', 'git apply a.patch'],
  ['escalate', 'cp -r made/. .'],
  ['escalate', 'cp -r made/.github .'],
  ['escalate', 'cp made/.gitlab-ci.yml .'],
  ['escalate', 'mv made/.github .'],
  ['escalate', 'git checkout other -- .'],
  ['escalate', 'chmod -R 700 .'],
  ['ask-default', 'tar xf a.tar -C build'],
  ['ask-default', 'cp -r made build'],
  ['approve', 'mkdir build'],
] as const)('[CA38] %s: %s', ([decision, command]) => {
  const judged = judge(pipelines, {tool: 'Bash', input: {command}}, {workspace: '/w', entries: () => []});
  expect(judged.decision, judged.reason).toBe(decision);
});

test('[CA38] to fill the workspace is not approved by leave to edit files: one of them may decide what agents run', () => {
  const book = rulebook({autoApprove: ['Edit files in the workspace']});
  const on = (command: string) => judge(book, {tool: 'Bash', input: {command}}, {workspace: '/w'}).decision;
  expect(on('cp made/a.ts src/a.ts')).toBe('approve');
  expect(on('cp -r made/. .')).toBe('ask-default');
});

test.for([
  ['escalate', 'tsx -e "await rm()"'],
  ['escalate', 'julia -e \'rm("/")\''],
  ['escalate', 'python3.12 -c "import os"'],
  ['escalate', 'node22 -e "rm()"'],
  ['reject', 'bun x rm -rf /'],
  ['escalate', 'anything --eval=$(cat x)'],
  ['ask-default', 'tsx -c a.json'],
  ['ask-default', 'python3.12 a.py'],
  ['ask-default', 'bun test'],
] as const)('[CA41] %s: %s', ([decision, command]) => {
  const judged = judge(rulebook({alwaysReject: ['rm -rf /']}), {tool: 'Bash', input: {command}}, {workspace: '/w'});
  expect(judged.decision, judged.reason).toBe(decision);
});
