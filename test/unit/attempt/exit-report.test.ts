import {expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey, signJws} from '@switchyard/shared/crypto/jws.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import {exitRecordSchema, type ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import {exitSchema} from '@switchyard/shared/protocol/up.ts';
import {longExitProtocol, PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import {sealMaxMs} from '../../../runner/src/attempt/clock-rules.ts';
import {boundedResult, recordToSign} from '../../../runner/src/attempt/exit-facts.ts';
import {config, Scene, taskA} from './attempt-scene.ts';

const outcomeOf = (bytes: number): {event: string; text: string} => {
  const empty = JSON.stringify({event: 'audit.completed', text: ''}).length;
  return {event: 'audit.completed', text: 'a'.repeat(bytes - empty)};
};

const commit = {sha: 'c'.repeat(64), subject: '\u0001'.repeat(120)};
const commits = Array.from({length: limits.conflictCommitsMax}, () => commit);
const conflict = {path: '\u0001'.repeat(400), ours: commits, theirs: commits};

/** Everything that a record may say, each part as long as it may be. */
const longest: ExitRecord = {
  task: taskA,
  epoch: 1,
  runner: runnerIdSchema.parse('rnr_01jd0000000000000000000001'),
  result: boundedResult({kind: 'succeeded', summary: '\u0001\u{1F600}'.repeat(50_000)}),
  exit_code: 0,
  signal: null,
  log_len: 0,
  log_sha256: 'a'.repeat(64),
  log_receipt: null,
  log_dropped: 0,
  git: {
    ...{base_sha: 'a'.repeat(40), head_sha: 'b'.repeat(40), branch: 'b'.repeat(255), pushed: true},
    ...{commits: 1, files_changed: 1, insertions: 1, deletions: 0},
    rebase: {
      outcome: 'conflict',
      onto_sha: 'd'.repeat(40),
      conflicts: Array.from({length: limits.conflictsMax}, () => conflict),
      conflicts_more: 3,
    },
  },
  spent: noneSpent,
  resources: {cpu_ms: 1, rss_bytes: 1, processes: 1, rss_bytes_max: 1, processes_max: 1},
  role: {prompt: 'auditor@1.0.0', outcome: outcomeOf(limits.outcomeBytesMax)},
  timings: {prepare_ms: 1, run_ms: 1, finish_ms: 1},
};

const key = await importSigningKey(await generatePrivateJwk());
const sent = async (record: ExitRecord): Promise<string> => {
  const message = {t: 'exit', task: taskA, epoch: 1, record: await signJws(key, {typ: EXIT_TYP}, record)};
  return exitSchema.parse(message).record;
};

test('[RN34] the longest record that can be is one message, with all that it says', async () => {
  expect(exitRecordSchema.parse(longest)).toEqual(longest);
  const record = recordToSign(longest, {protocol: PROTOCOL_VERSION, isPlain: false});
  expect(record).toEqual(longest);
  expect((await sent(record)).length).toBeGreaterThan(300_000);
});

test('[RN34] an older control plane is told what it can take, and of what does not fit the end without its explanation', async () => {
  const protocol = longExitProtocol - 1;
  const {git, role, result, ...rest} = longest;
  if (git?.rebase === undefined || role === undefined) throw new Error('the longest record has all of it');
  const rebase = {...git.rebase, conflicts: [], conflicts_more: 3 + limits.conflictsMax};
  const few = {...longest, role: {...role, outcome: outcomeOf(4_000)}, result: {kind: 'succeeded'} as const};
  expect(recordToSign(few, {protocol, isPlain: false})).toEqual({...few, git: {...git, rebase}});
  const said = recordToSign(longest, {protocol, isPlain: false});
  expect(said).toEqual({...rest, result, git: {...git, rebase}, role: {...role, outcome: null}});
  expect((await sent(said)).length).toBeLessThanOrEqual(65_536);
});

test('[RN34] a part that is no part of a record is left out, instead of all of it', () => {
  const tooLong = {...longest, role: {prompt: 'auditor@1.0.0', outcome: outcomeOf(limits.outcomeBytesMax + 1)}};
  const record = recordToSign(tooLong, {protocol: PROTOCOL_VERSION, isPlain: false});
  expect(record.role).toEqual({prompt: 'auditor@1.0.0', outcome: null});
  expect(() => recordToSign({...longest, log_len: -1}, {protocol: PROTOCOL_VERSION, isPlain: false})).toThrow(
    'log_len',
  );
});

const nack = (scene: Scene, why: 'log_incomplete' | 'bad_signature' | 'invalid' = 'invalid'): void => {
  scene.event({kind: 'message', message: {t: 'exit_nack', task: taskA, epoch: 1, why}});
};

/** Each try is refused: plays until the attempt is let go, and answers which tries were plain. */
function refusedForEver(scene: Scene, refuse: () => void): boolean[] {
  const plain: boolean[] = [];
  for (let tries = 0; tries < 1_000 && scene.attempt()?.state !== 'fenced'; tries += 1) {
    refuse();
    for (let waited = 0; waited < 60 && !scene.kinds().includes('sign'); waited += 1) scene.tick(1_000);
    plain.push(...scene.effects.flatMap(effect => (effect.kind === 'sign' ? [effect.isPlain] : [])));
  }
  return plain;
}

test('[RN35] an exit that is refused again and again says no more than it must, and in the end its attempt is let go', () => {
  const scene = new Scene().reported();
  const begun = scene.now;
  const plain = refusedForEver(scene, () => {
    nack(scene);
    scene.answer({verb: 'sign', record: 'signed'});
  });
  const whole = plain.indexOf(true);
  expect(whole).toBeGreaterThan(8);
  expect(plain.slice(whole)).not.toContain(false);
  expect(scene.now - begun).toBeGreaterThan(2.5 * 60 * 60_000);
  expect(scene.attempt()).toMatchObject({state: 'fenced', goneWhy: expect.stringContaining('invalid')});
  expect(scene.all.filter(({kind}) => kind === 'clean')).toHaveLength(1);
  scene.tick(config.renew_ms);
  expect(scene.effects.find(({kind}) => kind === 'renew')).toMatchObject({items: []});
});

test('[RN35] so does one whose record cannot be made', () => {
  const scene = new Scene().running();
  scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'done', result: null}});
  scene.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
  scene.answer({verb: 'seal', sealed: {length: 3, sha256: 'a'.repeat(64), receipt: 'receipt', dropped: 0}});
  const failure = {code: 'internal', detail: 'no record', retryable: true} as const;
  const plain = refusedForEver(scene, () => scene.answer({verb: 'failed', of: 'sign', failure}));
  expect(plain).toContain(true);
  expect(scene.attempt()).toMatchObject({state: 'fenced', goneWhy: expect.stringContaining('no record')});
});

test('[RN35] a record is not made plain because its log was late', () => {
  const scene = new Scene().reported();
  for (let tries = 0; tries < 20; tries += 1) {
    nack(scene, 'log_incomplete');
    for (let waited = 0; waited < 60 && !scene.kinds().includes('seal'); waited += 1) scene.tick(1_000);
    scene.answer({verb: 'seal', sealed: {length: 3, sha256: 'a'.repeat(64), receipt: `receipt-${tries}`, dropped: 0}});
    expect(scene.effects).toMatchObject([{kind: 'sign', isPlain: false}]);
    scene.answer({verb: 'sign', record: 'signed'});
  }
});

test('[RN36] a log that does not become whole on the server in hours ends its attempt without an exit', () => {
  const scene = new Scene().running();
  scene.answer({verb: 'run', end: {exitCode: 0, signal: null, summary: 'done', result: null}});
  scene.answer({verb: 'finish', completion: {result: {kind: 'succeeded'}, git: null}});
  scene.tick(sealMaxMs - 1);
  expect(scene.attempt()?.state).toBe('exited');
  scene.tick(1);
  expect(scene.attempt()).toMatchObject({state: 'fenced', goneWhy: expect.stringContaining('not whole')});
  expect(scene.kinds()).toContain('clean');
});

test('[RN14] an exit that was signed while nobody listened is sent when the session begins, also in the same moment', () => {
  const scene = new Scene().reported();
  scene.event({kind: 'disconnected'});
  scene.answer({verb: 'sign', record: 'signed-2'});
  scene.welcome([{task: taskA, epoch: 1, verdict: 'send_exit'}]);
  expect(scene.effects).toContainEqual({
    kind: 'send',
    message: {t: 'exit', task: taskA, epoch: 1, record: 'signed-2'},
  });
});
