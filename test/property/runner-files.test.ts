import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, test} from 'vitest';
import {runnerIdSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {certificateSchema} from '@switchyard/shared/protocol/envelope.ts';
import type {Machine} from '../../runner/src/executor/process-identity.ts';
import {
  parseShimIdentity,
  readDeadline,
  readExit,
  readKilled,
  readMeta,
  runFiles,
  type ShimIdentity,
} from '../../runner/src/executor/run-directory.ts';
import {readCursor} from '../../runner/src/logs/log-cursor.ts';
import {readClientFile} from '../../runner/src/services/client-file.ts';
import {installationSecret} from '../../runner/src/services/installation-secret.ts';
import {identityPath, readRunnerIdentity} from '../../runner/src/services/runner-identity.ts';
import {readRecords} from '../../runner/src/services/service-record.ts';
import {runningUp, upFileSchema} from '../../runner/src/services/up-file.ts';
import {policySchema, readPolicyFile} from '../../runner/src/state/policy-file.ts';
import {lockHolderSchema, readHolder} from '../../runner/src/state/state-lock.ts';
import {MirrorLocks} from '../../runner/src/worktree/mirror-lock.ts';
import {readRecord} from '../../runner/src/worktree/record.ts';
import {parseRepository} from '../../runner/src/worktree/repository-url.ts';
import {assertRoundTrip, assertTakesOnlyItsOwn, codec, jsonOf, refused, type Codec} from './codec-laws.ts';
import {anyText, valuesOf} from './schema-arbitrary.ts';

/** Files that other programs, other versions and hostile agents write, read from a real disk. */
const directory = mkdtempSync(join(tmpdir(), 'switchyard-property-'));
afterAll(() => rmSync(directory, {recursive: true}));

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, {mode: 0o600});
  return path;
}

const asJson = (value: unknown): string => JSON.stringify(value);
const count = fc.nat({max: Number.MAX_SAFE_INTEGER});
const bootMs = fc.nat({max: 999_999_999_999_999});

/** What names another attempt than its directory counts as absent. */
const own = {task: 'tsk_a', epoch: 7};
const ownDirectory = join(directory, 'tsk_a-e7');
mkdirSync(ownDirectory);

const meta = codec<object>({
  name: 'readMeta',
  valid: fc
    .record({
      version: fc.constant(1),
      task: fc.constant(own.task),
      epoch: fc.constant(own.epoch),
      executor: fc.constantFrom('host', 'tmux', 'docker', 'ssh', 'lima'),
      channels: fc.constantFrom('separate', 'merged'),
      cwd: anyText(4_096),
      isHeld: fc.boolean(),
    })
    .map(({isHeld, ...rest}) =>
      asJson(isHeld ? {...rest, cgroup: `/sys/fs/cgroup/${rest.task}-e${rest.epoch}`} : rest),
    ),
  decode: async text => {
    put(join('tsk_a-e7', runFiles.meta), text);
    return (await readMeta(ownDirectory)) ?? refused;
  },
  encode: asJson,
});

const deadline = codec<{softMs: number; hardMs: number}>({
  name: 'readDeadline',
  valid: fc.tuple(bootMs, bootMs).map(([soft, hard]) => `${soft} ${hard}\n`),
  decode: async text => {
    put(runFiles.deadline, text);
    return (await readDeadline(directory)) ?? refused;
  },
  encode: ({softMs, hardMs}) => `${softMs} ${hardMs}\n`,
});

const exit = codec<{code: number; atBootMs: number}>({
  name: 'readExit',
  valid: fc.tuple(fc.nat({max: 255}), bootMs).map(([code, at]) => `${code} ${at}\n`),
  decode: async text => {
    put(runFiles.exit, text);
    return (await readExit(directory)) ?? refused;
  },
  encode: ({code, atBootMs}) => `${code} ${atBootMs}\n`,
});

const killed = codec<string>({
  name: 'readKilled',
  valid: fc.stringMatching(/^[a-z_]{1,32}$/).map(reason => `${reason} 1\n`),
  decode: async text => {
    put(runFiles.killed, text);
    return (await readKilled(directory)) ?? refused;
  },
  encode: reason => `${reason} 1\n`,
});

const identity = codec<ShimIdentity>({
  name: 'parseShimIdentity',
  valid: fc
    .tuple(
      fc.integer({min: 2, max: 9_999_999_999}),
      fc.stringMatching(/^[\w:]{1,40}$/),
      fc.stringMatching(/^[0-9A-Za-z-]{8,64}$/),
      fc.constantFrom('cgroup', 'group'),
    )
    .map(parts => `${parts.join(' ')}\n`),
  decode: text => parseShimIdentity(text) ?? refused,
  encode: ({pid, started, bootId, heldBy}) => `${[pid, started, bootId, heldBy].join(' ')}\n`,
});

const cursor = codec<object>({
  name: 'readCursor',
  valid: fc
    .record({
      v: fc.constant(1),
      out: count,
      err: count,
      checks: count,
      length: count,
      droppedBytes: count,
      isFinished: fc.boolean(),
    })
    .map(asJson),
  decode: async text => {
    put('log.cursor', text);
    return readCursor(directory);
  },
  encode: asJson,
  isStrict: true,
});

const policy = codec<object>({
  name: 'readPolicyFile',
  valid: jsonOf(policySchema),
  decode: async text => (await readPolicyFile(put('policy.json', text))).policy,
  encode: asJson,
  isStrict: true,
});

const client = codec<object>({
  name: 'readClientFile',
  valid: fc
    .record(
      {url: fc.webUrl(), token: anyText(300, 1), team: anyText(100), pool: anyText(100)},
      {requiredKeys: ['url', 'token']},
    )
    .map(asJson),
  decode: async text => (await readClientFile(put('client.json', text))) ?? refused,
  encode: asJson,
  isStrict: true,
});

const jwk = valuesOf(certificateSchema.shape.jwk);
const record = fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), fc.jsonValue({maxDepth: 1}), {
  maxKeys: 3,
  noNullPrototype: true,
});

const runnerIdentity = codec<object>({
  name: 'readRunnerIdentity',
  valid: fc
    .record({
      url: anyText(100),
      runner: valuesOf(runnerIdSchema),
      name: anyText(100),
      pool: anyText(40),
      labels: fc.array(anyText(100), {maxLength: 3}),
      certificate: anyText(100),
      keys: fc.array(jwk, {minLength: 1, maxLength: 3}),
      private_jwk: record,
    })
    .map(value => asJson(JSON.parse(asJson(value)))),
  decode: async text => {
    writeFileSync(identityPath(directory), text, {mode: 0o600});
    return (await readRunnerIdentity(directory)) ?? refused;
  },
  encode: asJson,
});

const secret = codec<object>({
  name: 'installationSecret',
  valid: fc
    .record({
      secret: fc.uint8Array({minLength: 32, maxLength: 48}).map(bytes => Buffer.from(bytes).toString('base64')),
      signing_keys: fc.array(record, {minLength: 1, maxLength: 4}),
    })
    .map(value => asJson(JSON.parse(asJson(value)))),
  decode: async text => installationSecret(put('installation.json', text)),
  encode: asJson,
});

/** A machine on which whoever is named lives: what is left to refuse is the file. */
const everybodyLives = (started: string, bootId: string): Machine => ({
  bootId,
  processes: {
    list: () => [],
    read: pid => ({pid, parentPid: 1, groupId: pid, sessionId: pid, started, isZombie: false}),
  },
});

const up = codec<object>({
  name: 'runningUp',
  valid: jsonOf(upFileSchema),
  decode: async text => {
    const {started, bootId} = upFileSchema.safeParse(parseJson(text)).data ?? {started: '', bootId: ''};
    return (await runningUp(put('up.json', text), everybodyLives(started, bootId))) ?? refused;
  },
  encode: asJson,
  isStrict: true,
});

const services = join(directory, 'services');
mkdirSync(services);
const service = codec<object>({
  name: 'readRecords',
  valid: fc
    .record({
      name: anyText(20),
      pid: fc.integer({min: 1, max: 2 ** 31}),
      started: anyText(20),
      bootId: anyText(20),
      mark: anyText(20),
    })
    .map(asJson),
  decode: async text => {
    put('services/runner.pid.json', text);
    return (await readRecords(services))[0] ?? refused;
  },
  encode: asJson,
  isStrict: true,
});

const holder = codec<object>({
  name: 'readHolder',
  valid: jsonOf(lockHolderSchema),
  decode: text => {
    put('runner.pid', text);
    return readHolder(directory) ?? refused;
  },
  encode: asJson,
  isStrict: true,
});

const context = {
  root: directory,
  git: () => Promise.reject(new Error('no git is asked')),
  locks: new MirrorLocks(),
  now: () => 1,
  randomHex: () => '0'.repeat(16),
};
const place = parseRepository('https://git.test/team/app');
const [attempt] = fc.sample(valuesOf(taskIdSchema), {numRuns: 1, seed: 1});
mkdirSync(join(directory, 'worktrees', place.directory), {recursive: true});

const worktree = codec<object>({
  name: 'readRecord',
  valid: fc
    .record({baseSha: fc.stringMatching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/), createdAtMs: count})
    .map(({baseSha, createdAtMs}) => ({
      version: 1,
      repository: place.url,
      task: attempt,
      epoch: 3,
      branch: `switchyard/${attempt}/e3`,
      baseSha,
      createdAtMs,
    }))
    .map(asJson),
  decode: async text => {
    put(`worktrees/${place.directory}/${attempt}-e3.json`, text);
    const found = await readRecord(context, place.directory, `${attempt}-e3`);
    if (found === undefined) return refused;
    const {mirror, path: _, ...rest} = found;
    return {version: 1, repository: mirror.repository.url, ...rest};
  },
  encode: asJson,
});

const codecs: readonly Codec[] = [
  ...[meta, deadline, exit, killed, identity, cursor, policy, client, runnerIdentity, secret, up, service, holder],
  worktree,
];

test.for(codecs)('[PB2] $name takes nothing but what it could have said itself', async codec => {
  await assertTakesOnlyItsOwn(codec, 120);
});

test.for(codecs)('[PB3] $name reads what was written', async codec => {
  await assertRoundTrip(codec, 30);
});
