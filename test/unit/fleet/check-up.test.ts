import {expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey, signJws} from '@switchyard/shared/crypto/jws.ts';
import {attemptBranch, newRunnerId, newTaskId} from '@switchyard/shared/domain/id.ts';
import {slotsSchema} from '@switchyard/shared/protocol/attempt-message.ts';
import {EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import {upChecker} from '../../../worker/src/fleet/check-up.ts';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const task = newTaskId(1, randomBytes);
const runner = newRunnerId(1, randomBytes);
const check = upChecker({verifyReceipt: async () => true});

test.for([
  [attemptBranch(task, 1), {ok: true}],
  [attemptBranch(task, 2), {ok: false, why: 'invalid'}],
  ['main', {ok: false, why: 'invalid'}],
  ['x; $(touch owned)\u001b[2J', {ok: false, why: 'invalid'}],
] as const)('[SE12] evidence on the branch %j is taken: %j', async ([branch, expected]) => {
  const key = await importSigningKey(await generatePrivateJwk());
  const git = {
    ...{base_sha: 'a'.repeat(40), head_sha: 'b'.repeat(40), branch, pushed: true},
    ...{commits: 1, files_changed: 1, insertions: 1, deletions: 0},
  };
  const record = await signJws(
    key,
    {typ: EXIT_TYP},
    {
      ...{task, epoch: 1, runner, git, exit_code: 0, signal: null, result: {kind: 'succeeded'}},
      ...{log_len: 0, log_sha256: 'c'.repeat(64), log_receipt: null, log_dropped: 0},
      timings: {prepare_ms: 0, run_ms: 0, finish_ms: 0},
    },
  );
  const checked = await check({runner, keys: [key.publicJwk.x], nonce: undefined}, {t: 'exit', task, epoch: 1, record});
  expect(checked).toMatchObject({exit: expected});
});

test('[SE13] a runner states at most 16 classes of slots', () => {
  const classes = (count: number): Record<string, number> =>
    Object.fromEntries(Array.from({length: count}, (_, index) => [`class-${index}`, 1]));
  expect(slotsSchema.safeParse(classes(16)).success).toBe(true);
  expect(slotsSchema.safeParse(classes(17)).success).toBe(false);
});
