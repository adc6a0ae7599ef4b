import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import fc from 'fast-check';
import {afterAll, expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey, importVerifyingKey, signJws} from '@switchyard/shared/crypto/jws.ts';
import {sha256Hex} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptBranch, runnerIdSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {DISPATCH_TYP} from '@switchyard/shared/protocol/envelope.ts';
import {attemptSchema, newAttempt} from '../../runner/src/attempt/attempt-state.ts';
import {checkEnvelope} from '../../runner/src/link/envelope-check.ts';
import {openJournal, type JournalContent} from '../../runner/src/state/journal.ts';
import {tries} from './fuzz-settings.ts';
import {damagedText, hostileText, outsideText} from './hostile-input.ts';

const root = mkdtempSync(join(tmpdir(), 'switchyard-property-'));
afterAll(() => rmSync(root, {recursive: true}));
let journals = 0;

const task = taskIdSchema.parse('tsk_01arz3ndektsv4rrffq69g5fav');
const spec = taskSpecSchema.parse({prompt: 'do it'});
const attempt = newAttempt({task, epoch: 1, spec, branch: attemptBranch(task, 1)});

const damage = fc.oneof(
  outsideText(fc.constant(JSON.stringify(attempt))).map(text => ({sql: 'UPDATE attempt SET body = ?', value: text})),
  fc
    .constantFrom<string | number | bigint>(-1, 0, 2 ** 40, 2n ** 62n)
    .map(value => ({sql: 'UPDATE max_epoch SET epoch = ?', value})),
  hostileText.map(text => ({sql: `UPDATE setting SET value = ? WHERE name = 'openings'`, value: text})),
  outsideText(fc.constant('{"ttl_ms":1}')).map(text => ({
    sql: `UPDATE setting SET value = ? WHERE name = 'lease_config'`,
    value: text,
  })),
);

/** What the journal holds, or the code with which it is refused. */
function contentOf(open: () => ReturnType<typeof openJournal>): JournalContent | string {
  try {
    const journal = open();
    journal.close();
    return journal.content;
  } catch (error) {
    if (error instanceof SwitchyardError) return error.code;
    throw error;
  }
}

test('[PB23] a journal with any text in any of its rows is read as what it says, or as damaged', () => {
  fc.assert(
    fc.property(damage, ({sql, value}) => {
      const directory = join(root, String((journals += 1)));
      const options = {directory, bootId: 'boot', wallMs: 0};
      const made = openJournal(options);
      const config = {ttl_ms: 60_000, renew_ms: 1, grace_ms: 1, offer_ms: 1, soft_stop_ms: 1, hard_kill_ms: 1};
      made.write({save: [attempt], remove: [], epochs: [{task, epoch: 1}], forgetEpochs: [], config});
      made.close();
      const database = new DatabaseSync(join(directory, 'journal.sqlite'));
      database.prepare(sql).run(value);
      database.close();
      const read = contentOf(() => openJournal(options));
      const attempts = typeof read === 'string' ? [] : [...read.attempts.values()];
      expect(attempts.every(each => attemptSchema.safeParse(each).success)).toBe(true);
      expect(typeof read === 'string' ? read : Number.isSafeInteger(read.openings), String(value)).toBe(
        typeof read === 'string' ? 'state_corrupt' : true,
      );
    }),
    tries(40),
  );
});

test('[PB23] an envelope with any text as its spec starts nothing but what its schema describes', async () => {
  const key = await importSigningKey(await generatePrivateJwk());
  const runner = runnerIdSchema.parse('rnr_01arz3ndektsv4rrffq69g5fav');
  const options = {
    runner,
    pool: 'main',
    keys: [await importVerifyingKey(key.publicJwk)],
    serverTime: () => ({serverTimeMs: 1_000_000, seenBootMs: 0}),
    bootMs: () => 0,
  };
  const texts = fc.oneof(
    outsideText(fc.constant(JSON.stringify(spec))),
    damagedText(fc.constant(JSON.stringify(spec))),
  );
  await fc.assert(
    fc.asyncProperty(texts, async text => {
      const dispatch = {
        ...{iss: 'switchyard', aud: runner, task, epoch: 1, pool: 'main', iat: 1_000, exp: 1_030, jti: '0123456789'},
        ...{spec: text, spec_sha256: await sha256Hex(text), branch: attemptBranch(task, 1)},
      };
      const envelope = await signJws(key, {typ: DISPATCH_TYP}, dispatch);
      const checked = await checkEnvelope(options, {t: 'offer', task, epoch: 1, envelope, expires_in_ms: 1});
      expect(checked.ok ? taskSpecSchema.safeParse(checked.plan.spec).success : checked.code).toBe(
        checked.ok ? true : 'bad_envelope',
      );
    }),
    tries(100),
  );
});
