import {existsSync, lstatSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {Bed, patientLease, type RunnerProcess} from '../fixtures/installation.ts';

let bed: Bed;
let runner: RunnerProcess;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  runner = await bed.runner('runner', {slots: 8});
});
afterAll(async () => bed.stop());

const shell = (script: string, more: Partial<TaskSpecInput> = {}): TaskSpecInput => ({
  prompt: 'a prompt for the agent',
  agent: {driver: 'exec', command: ['/bin/sh', '-c', script]},
  attempts_max: 1,
  timeout_ms: 20_000,
  ...more,
});

/** What an agent can do to the files of its own attempt, which lie beside its home. */
const tricks = {
  'a FIFO where the cursor of the log is drafted': 'mkfifo log.cursor.tmp; echo a; sleep 1; echo b',
  'FIFOs where deadlines are drafted': 'for i in $(seq 1 99); do mkfifo "deadline.$1-$i.tmp"; done; sleep 6',
  'a FIFO as the log': 'rm -f log; mkfifo log; echo a; sleep 1; echo b',
  'folders as streams': 'rm -f out err; mkdir out err; echo a',
  'a folder as the exit': 'mkdir exit; echo a',
  'another identity of the shim': 'echo "1 1 aaaaaaaa-aaaa-aaaa group" >pid; echo a; sleep 1',
  'no claim': 'rm -rf claim; echo a; sleep 1',
  'another worktree in its description':
    'sed -i "s#\\"cwd\\":\\"[^\\"]*\\"#\\"cwd\\":\\"/\\"#" meta.json; echo a; sleep 1',
  'no shim': 'kill -9 "$(cut -d" " -f1 pid)"; echo a; sleep 30',
};

test('[SE7] whatever an agent does to the files of its attempt, the attempt ends and the runner goes on', async () => {
  const pid = String(runner.child().pid);
  const bad = await Promise.all(
    Object.values(tricks).map(async trick =>
      bed.submit({
        ...shell(''),
        agent: {driver: 'exec', command: ['/bin/sh', '-c', `cd "$HOME/.." && ${trick}`, 'sh', pid]},
      }),
    ),
  );
  const good = await bed.submit(shell('echo fine'));
  expect((await bed.finished(good.id)).state).toBe('succeeded');
  for (const [index, {id}] of bad.entries())
    await bed.until(id, Object.keys(tricks)[index] ?? '', ({state}) => state !== 'leased' && state !== 'queued');
});

test('[SE8] what is pushed is the commit that was checked: a check that commits more is caught', async () => {
  const origin = await bed.repository('moved');
  const check = 'echo more >more.txt && git add more.txt && git -c user.name=a -c user.email=a@b commit -qm more';
  const task = await bed.submit(
    shell('echo work >work.txt', {repository: {url: origin.url}, checks: [['/bin/sh', '-c', check]]}),
  );
  const ended = await bed.finished(task.id);
  expect(ended.failures.at(-1)).toMatchObject({code: 'agent_failed'});
  const branches = await execa('git', ['-C', origin.path, 'branch', '--list', 'switchyard/*']);
  expect(branches.stdout).toBe('');
});

test('[SE14] a hook that one agent plants in the mirror does not run in the git of the next one', async () => {
  const origin = await bed.repository('hooked');
  const witness = join(bed.folder, 'hook-ran');
  const plant =
    'dir=$(git rev-parse --git-common-dir)/hooks; mkdir -p "$dir"; for hook in pre-commit reference-transaction; do ' +
    `printf '#!/bin/sh\\ntouch ${witness}\\n' >"$dir/$hook"; chmod +x "$dir/$hook"; done; echo a >a.txt`;
  const commit = 'echo b >b.txt; git add b.txt; git -c user.name=a -c user.email=a@b commit -qm b';
  for (const script of [plant, commit]) {
    const task = await bed.submit(shell(script, {repository: {url: origin.url}}));
    expect((await bed.finished(task.id)).state).toBe('succeeded');
  }
  expect(existsSync(witness)).toBe(false);
});

/** Everything that opens something, in the state directories of a control plane and a runner. */
function secrets(): readonly string[] {
  const read = (path: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(bed.folder, path), 'utf8')) as Record<string, unknown>;
  const identity = read('runner/runner/identity.json') as {private_jwk: {d: string}};
  const installation = read('plane/control-plane/secret.json') as {secret: string; signing_keys: {d: string}[]};
  const {token} = read('plane/client.json') as {token: string};
  return [identity.private_jwk.d, token, installation.secret, ...installation.signing_keys.map(({d}) => d)];
}

test('[SE9] no secret stands in the arguments or the environment of a process, nor in a log', async () => {
  const canaries = secrets();
  const before = processTexts();
  const seen = join(bed.folder, 'seen');
  const wait = `until [ -e ${seen} ]; do sleep 0.1; done`;
  const task = await bed.submit(shell(`env; tr "\\0" "\\n" </proc/$PPID/environ; ${wait}`));
  await bed.until(task.id, 'running', ({phase}) => phase === 'running');
  const texts = [...before, ...processTexts()];
  writeFileSync(seen, '');
  await bed.finished(task.id);
  expect(texts.length).toBeGreaterThan(6);
  texts.push(await bed.log(task.id), ...runner.lines(), readFileSync(join(bed.folder, 'plane.log'), 'utf8'));
  for (const text of texts) for (const canary of canaries) expect(text).not.toContain(canary);
});

test('[SE10] a token or a private key that an agent finds on the machine and prints is masked in its log', async () => {
  const {folder} = bed;
  const files = [`${folder}/runner/runner/identity.json`, `${folder}/plane/client.json`];
  const task = await bed.submit(shell(`cat ${files.join(' ')}`));
  expect((await bed.finished(task.id)).state).toBe('succeeded');
  const log = await bed.log(task.id);
  const [d = '', token = ''] = secrets();
  expect(log).toContain('private_jwk');
  expect(log).not.toContain(d);
  expect(log).not.toContain(token);
});

test('[SE11] nobody else can read a file or enter a directory that holds state', () => {
  for (const root of ['plane', 'runner']) {
    expect(lstatSync(join(bed.folder, root)).mode & 0o077).toBe(0);
    for (const name of readdirSync(join(bed.folder, root)))
      // What is written anew is gone from its first place.
      expect((lstatSync(join(bed.folder, root, name), {throwIfNoEntry: false})?.mode ?? 0) & 0o077, name).toBe(0);
  }
});

test('[SE4] the embedded control plane does not answer to the name of a website', async () => {
  const {stdout} = await execa('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    '-H',
    'Host: rebound.example',
    `${bed.url}/v1/health`,
  ]);
  expect(stdout).toBe('400');
});

/** Arguments and environments of all processes of this bed, as every process of the user can read them. */
function processTexts(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap(pid => ['cmdline', 'environ'].map(file => readText(`/proc/${pid}/${file}`)))
    .filter(text => text.includes(bed.folder));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
