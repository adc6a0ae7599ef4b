import {chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {inspect} from 'node:util';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {readWholeInput} from '../../../runner/src/commands/input.ts';
import {secretInput} from '../../../runner/src/commands/secret-input.ts';
import {UsageError} from '../../../runner/src/commands/usage-error.ts';
import {checkControlPlaneUrl, enrol} from '../../../runner/src/link/enrol.ts';
import {labelsOf, machineFacts} from '../../../runner/src/link/fingerprint.ts';
import {loadRunnerKey} from '../../../runner/src/secrets/runner-key.ts';
import {FakeControlPlane} from '../../fixtures/control-plane.ts';
import {until} from '../../fixtures/until.ts';
import {linkedRunner} from './linked-runner.ts';

let plane: FakeControlPlane;
let directory: string;
beforeEach(async () => {
  plane = await FakeControlPlane.start();
  directory = await mkdtemp(join(tmpdir(), 'switchyard-enrol-'));
});
afterEach(async () => {
  await plane.stop();
  await rm(directory, {recursive: true, force: true});
});

const request = (more: object = {}): Parameters<typeof enrol>[0] => ({
  url: plane.url,
  token: 'good-token',
  name: 'test',
  labels: ['team=a'],
  runnerDirectory: directory,
  ...more,
});

test('[LK12] Enrolling keeps an identity that only its owner can read, and that connects', async () => {
  await enrol(request());
  expect((await stat(join(directory, 'identity.json'))).mode & 0o777).toBe(0o600);
  const key = await loadRunnerKey(directory);
  expect(key).toMatchObject({url: plane.url, pool: 'default', name: 'test', labels: ['team=a']});
  const {link} = await linkedRunner(plane, {runner: key.runner, signingKey: key.signingKey});
  await until('connected', () => link.status().state === 'connected');
  await link.close();
  expect(plane.complaints).toEqual([]);
});

test('[LK12] An identity is never overwritten unless told, and the token is not spent on the try', async () => {
  const first = await enrol(request());
  const asked: string[] = [];
  plane.hooks.intercept = ({url}) => {
    asked.push(url ?? '');
    return undefined;
  };
  await expect(enrol(request())).rejects.toMatchObject({code: 'configuration_invalid'});
  expect(asked).toEqual([]);
  expect((await loadRunnerKey(directory)).runner).toBe(first.runner);
  const second = await enrol(request({replace: true}));
  expect(second.runner).not.toBe(first.runner);
});

test('[LK12] A spent token is said to be spent, and nothing is kept', async () => {
  await expect(enrol(request({token: 'spent'}))).rejects.toMatchObject({code: 'enrolment_invalid'});
  await expect(loadRunnerKey(directory)).rejects.toMatchObject({code: 'configuration_invalid'});
});

test.for([0o644, 0o640, 0o604])('[LK11] A key file with mode %o is refused, without showing it', async mode => {
  await enrol(request());
  const path = join(directory, 'identity.json');
  await chmod(path, mode);
  await expect(loadRunnerKey(directory)).rejects.toMatchObject({code: 'configuration_invalid'});
});

test('[LK11] A directory in which others could put another key is refused', async () => {
  await enrol(request());
  await chmod(directory, 0o777);
  await expect(loadRunnerKey(directory)).rejects.toMatchObject({code: 'configuration_invalid'});
  await chmod(directory, 0o700);
  await loadRunnerKey(directory);
});

test('[LK11] The loaded key cannot be printed or read out', async () => {
  await enrol(request());
  const {d} = JSON.parse(await readFile(join(directory, 'identity.json'), 'utf8')).private_jwk;
  const key = await loadRunnerKey(directory);
  expect(inspect(key, {depth: 10, showHidden: true})).not.toContain(d);
  expect(JSON.stringify(key)).not.toContain(d);
  await expect(crypto.subtle.exportKey('jwk', key.signingKey.privateKey)).rejects.toThrow('not extractable');
  await writeFile(join(directory, 'identity.json'), `{"private_jwk":{"d":"${d}"}}`);
  await expect(loadRunnerKey(directory)).rejects.not.toThrow(d);
});

const world = (...parts: readonly (string | Uint8Array)[]): Parameters<typeof secretInput>[0] => ({
  askSecret: () => undefined,
  readInput: charactersMax => readWholeInput(Readable.from(parts), charactersMax),
});

test('[LK13] The token comes from standard input, and must be all that there is', async () => {
  expect(await secretInput(world('from-', 'stdin\n'), '')).toBe('from-stdin');
  for (const wrong of ['', 'two words', 'x'.repeat(301)])
    await expect(secretInput(world(wrong), '')).rejects.toThrow(UsageError);
});

test('[LK13] Standard input is decoded as a whole, and has a longest length in characters', async () => {
  const bytes = Buffer.from('\u20ac\u{1f600}');
  const parts = [...bytes].map(byte => Uint8Array.of(byte));
  expect(await readWholeInput(Readable.from(parts), 3)).toBe('\u20ac\u{1f600}');
  await expect(readWholeInput(Readable.from(parts), 2)).rejects.toThrow('longer than 2 characters');
  await expect(readWholeInput(Readable.from(['x'.repeat(9)]), 2)).rejects.toThrow('longer than 2 characters');
});

test.for([
  ['https://example.com/x', true],
  ['http://127.0.0.1:8787', true],
  ['http://localhost:8787', true],
  ['http://example.com', false],
  ['http://127.0.0.1.example.com', false],
  ['https://user:secret@example.com', false],
  ['ftp://example.com', false],
  ['nonsense', false],
] as const)('[LK13] Secrets cross no open network: %s is taken: %s', ([url, taken]) => {
  let isTaken = true;
  try {
    checkControlPlaneUrl(url);
  } catch {
    isTaken = false;
  }
  expect(isTaken).toBe(taken);
});

test('[LK14] The version of git is known', async () => {
  const {gitVersion} = await machineFacts({
    path: '/usr/local/bin:/usr/bin:/bin',
    home: '/nonexistent',
    executors: [],
    deadlineMs: 20_000,
  });
  expect(gitVersion).toMatch(/^\d+\.\d+/);
});

test('[LK14] Labels say the system, the executors and the agents that are there, also those that are slow to answer', async () => {
  const programs = join(directory, 'bin');
  await mkdir(programs);
  await writeFile(join(programs, 'claude'), '#!/bin/sh\necho "9.8.7 (Claude Code)"\n', {mode: 0o755});
  await writeFile(join(programs, 'codex-acp'), '#!/bin/sh\nexec sleep 600\n', {mode: 0o755});
  const path = `${programs}:/usr/bin:/bin`;
  const facts = await machineFacts({path, home: '/nonexistent', executors: ['host'], deadlineMs: 3_000});
  // The first has its version where it was told in time.
  expect(facts.agents.map(({name}) => name)).toEqual(expect.arrayContaining(['claude', 'codex']));
  expect(facts.agents).toContainEqual({name: 'codex', version: 'unknown'});
  const labels = labelsOf(facts, ['team=a', 'not a label']);
  expect(labels).toEqual(
    expect.arrayContaining([
      `arch=${process.arch}`,
      'executor=host',
      'agent=scripted',
      'agent=claude',
      'agent=codex',
      'team=a',
    ]),
  );
  expect(labels).not.toContain('not a label');
});
