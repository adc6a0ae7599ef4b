import {describe, expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  importVerifyingKey,
  signJws,
  verifyJws,
} from '@switchyard/shared/crypto/jws.ts';
import {errorCodes} from '@switchyard/shared/domain/error.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {offerSchema} from '@switchyard/shared/protocol/down.ts';
import {
  certificateSchema,
  CERTIFICATE_TYP,
  connectClaimsSchema,
  dispatchSchema,
  DISPATCH_TYP,
  EXIT_TYP,
} from '@switchyard/shared/protocol/envelope.ts';
import {attemptResultSchema, errorCodeSchema, exitRecordSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {
  closeCodes,
  PROTOCOL_VERSION,
  protocolVersions,
  RUNNER_SUBPROTOCOL,
} from '@switchyard/shared/protocol/version.ts';

const task = 'tsk_01arz3ndektsv4rrffq69g5fav';
const runner = 'rnr_01arz3ndektsv4rrffq69g5fav';
const sha = 'ab'.repeat(20);
const record = {
  task,
  epoch: 1,
  runner,
  result: {kind: 'succeeded', summary: 'done'},
  exit_code: 0,
  signal: null,
  log_len: 10,
  log_sha256: 'ab'.repeat(32),
  log_receipt: 'receipt',
  log_dropped: 0,
  git: {
    base_sha: sha,
    head_sha: sha,
    branch: attemptBranch(task, 1),
    commits: 1,
    files_changed: 1,
    insertions: 2,
    deletions: 0,
    pushed: true,
  },
  timings: {prepare_ms: 1.5, run_ms: 2, finish_ms: 0},
};
const dispatch = {
  iss: 'switchyard',
  aud: runner,
  task,
  epoch: 1,
  pool: 'acme',
  iat: 1_795_000_000,
  exp: 1_795_000_030,
  jti: 'abcdefgh',
  spec_sha256: 'ab'.repeat(32),
  spec: '{}',
  branch: attemptBranch(task, 1),
};
const certificate = {
  iss: 'switchyard',
  sub: runner,
  pool: 'acme',
  iat: 1,
  jwk: {kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'},
};
const claims = {iss: runner, aud: 'host', iat: 1, exp: 2, jti: 'abcdefgh'};

describe.each([
  {name: 'exit record', schema: exitRecordSchema, good: record},
  {name: 'dispatch', schema: dispatchSchema, good: dispatch},
  {name: 'certificate', schema: certificateSchema, good: certificate},
  {name: 'claims of a connection', schema: connectClaimsSchema, good: claims},
])('the $name', ({schema, good}) => {
  test('[PR10] is exactly its fields: one more, one less or one of another type is refused', () => {
    expect(schema.parse(good)).toEqual(good);
    expect(schema.safeParse({...good, surplus: null}).success).toBe(false);
    const fields: readonly (readonly [string, unknown])[] = Object.entries(good);
    for (const [name, value] of fields) {
      const rest = Object.fromEntries(fields.filter(([other]) => other !== name));
      expect(schema.safeParse(rest).success, `without ${name}`).toBe(false);
      const other = typeof value === 'string' ? 7 : 'text';
      const isFree = name === 'log_receipt' || name === 'signal';
      expect(schema.safeParse({...good, [name]: isFree ? 7 : other}).success, `${name} of another type`).toBe(false);
    }
  });
});

describe('an exit record', () => {
  const changed: readonly object[] = [
    {epoch: 0},
    {epoch: 1.5},
    {log_len: -1},
    {log_sha256: 'AB'.repeat(32)},
    {log_sha256: `${'ab'.repeat(32)}\n`},
    {result: {kind: 'succeeded', retryable: true}},
    {result: {kind: 'won'}},
    {git: {...record.git, head_sha: 'HEAD'}},
    {git: {...record.git, force: true}},
    {timings: {...record.timings, run_ms: -1}},
    {timings: {...record.timings, run_ms: Number.NaN}},
    {task: runner},
    {runner: task},
  ];
  test.for(changed)('[PR11] with %j is refused', change => {
    expect(exitRecordSchema.safeParse({...record, ...change}).success).toBe(false);
  });

  test('[PR11] may have no git, no signal, no receipt and no exit code, but says so', () => {
    const bare = {...record, git: null, signal: 'SIGKILL', log_receipt: null, exit_code: null};
    expect(exitRecordSchema.parse(bare)).toEqual(bare);
    const sha256 = {...record, git: {...record.git, head_sha: 'ab'.repeat(32)}};
    expect(exitRecordSchema.safeParse(sha256).success).toBe(true);
  });

  test('[PR8] keeps every code of ours and takes any other as internal', () => {
    const failed = (code: string) => attemptResultSchema.parse({kind: 'failed', code, detail: '', retryable: true});
    for (const code of Object.keys(errorCodes)) expect(failed(code)).toMatchObject({code});
    for (const code of ['from_tomorrow', '', '__proto__', 'toString'])
      expect(failed(code)).toMatchObject({code: 'internal'});
  });

  test('[PR12] of an API has a code of ours and no other', () => {
    expect(errorCodeSchema.options).toEqual(Object.keys(errorCodes));
    for (const code of ['from_tomorrow', '', 'toString']) expect(errorCodeSchema.safeParse(code).success).toBe(false);
  });
});

describe('what is signed', () => {
  test('[PR13] for one purpose is refused for another', async () => {
    const key = await importSigningKey(await generatePrivateJwk());
    const keys = [await importVerifyingKey(key.publicJwk)];
    const kinds = [
      {typ: DISPATCH_TYP, schema: dispatchSchema, payload: dispatch},
      {typ: EXIT_TYP, schema: exitRecordSchema, payload: record},
      {typ: CERTIFICATE_TYP, schema: certificateSchema, payload: certificate},
    ];
    for (const {typ, payload} of kinds) {
      const jws = await signJws(key, {typ}, payload);
      const readers = await Promise.all(
        kinds.map(async each => verifyJws(jws, {typ: each.typ, keys, schema: each.schema})),
      );
      expect(readers.map(read => read !== undefined)).toEqual(kinds.map(each => each.typ === typ));
      const asPayload = await Promise.all(kinds.map(async ({schema}) => verifyJws(jws, {typ, keys, schema})));
      expect(asPayload.map(read => read !== undefined)).toEqual(kinds.map(each => each.typ === typ));
    }
  });

  test('[PR14] of a key has one text: unused bits of its last character are zero', () => {
    const withX = (x: string) => certificateSchema.safeParse({...certificate, jwk: {...certificate.jwk, x}}).success;
    expect(withX(certificate.jwk.x)).toBe(true);
    for (const end of ['p', 'q', 'r', '=', '']) expect(withX(certificate.jwk.x.slice(0, -1) + end), end).toBe(false);
  });

  test.for(['"', '\\', '\n', 'x', 'é', '漢', '\u{1f511}', '\u0001', '\ud800'])(
    '[PR15] carries the largest task of the character %j that may be submitted',
    async unit => {
      const spec = (length: number) => taskSpecSchema.safeParse({prompt: unit.repeat(length)});
      let [fits, tooLong] = [1, limits.promptCharactersMax / unit.length + 1];
      while (tooLong - fits > 1) {
        const middle = Math.floor((fits + tooLong) / 2);
        if (spec(middle).success) fits = middle;
        else tooLong = middle;
      }
      const text = JSON.stringify(spec(fits).data);
      const key = await importSigningKey(await generatePrivateJwk());
      const payload = {...dispatch, pool: 'p'.repeat(40), jti: 'j'.repeat(64), branch: 'b'.repeat(255), spec: text};
      const envelope = await signJws(key, {typ: DISPATCH_TYP}, payload);
      const offer = {t: 'offer', task, epoch: 1, envelope, expires_in_ms: 1};
      expect(offerSchema.safeParse(offer).success, `${fits} times, ${envelope.length} characters`).toBe(true);
      const keys = [await importVerifyingKey(key.publicJwk)];
      const read = await verifyJws(envelope, {typ: DISPATCH_TYP, keys, schema: dispatchSchema});
      expect(read?.spec).toBe(text);
    },
  );

  test('[PR15] a task that is too large for it is refused with the size', () => {
    const argument = '"'.repeat(8_192);
    const refused = taskSpecSchema.safeParse({prompt: 'a', checks: [Array.from({length: 64}, () => argument)]});
    expect(refused.error?.issues[0]?.message).toContain(`${limits.specBytesMax} bytes`);
    expect(utf8(argument).length * 64).toBeGreaterThan(limits.specBytesMax);
  });
});

test('[PR16] the close codes are those of the protocol, in the range of applications', () => {
  expect(closeCodes).toEqual({unauthorized: 4401, revoked: 4403, replaced: 4409, protocolTooOld: 4426});
  expect(RUNNER_SUBPROTOCOL).toBe('switchyard.runner.v1');
  expect(protocolVersions).toEqual(Array.from({length: PROTOCOL_VERSION}, (_, index) => index + 1));
});
