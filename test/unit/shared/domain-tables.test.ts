import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {errorCodes, isErrorCode, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {
  attemptBranch,
  epochSchema,
  newRunnerId,
  newTaskId,
  poolSchema,
  runnerIdSchema,
  taskIdSchema,
} from '@switchyard/shared/domain/id.ts';
import {silentAfterMs} from '@switchyard/shared/domain/lease.ts';
import {limits, limitTable} from '@switchyard/shared/policy/limits.ts';
import {logFrameBytesMax, logFrameHeaderBytes, logPayloadBytesMax} from '@switchyard/shared/protocol/log-frame.ts';

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

describe('ids', () => {
  test('[DO12] made in one millisecond are distinct, and each has its pattern', () => {
    const ids = Array.from({length: 10_000}, () => newTaskId(1_795_000_000_000, random));
    expect(new Set(ids).size).toBe(10_000);
    for (const id of ids) expect(id).toMatch(/^tsk_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
    expect(newRunnerId(1_795_000_000_000, random)).toMatch(/^rnr_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
  });

  test('[DO13] sort by the time at which they were made', () => {
    const time = fc.nat({max: 2 ** 48 - 1});
    fc.assert(
      fc.property(time, time, (left, right) => {
        const [first, second] = [newTaskId(left, random), newTaskId(right, random)];
        expect(left === right || first < second === left < right).toBe(true);
        expect(first.slice(4, 14) === second.slice(4, 14)).toBe(left === right);
      }),
    );
    // The time of the example in the ULID specification.
    expect(newTaskId(1_469_918_176_385, random).slice(4, 14)).toBe('01aryz6s41');
  });

  test.for([-1, 1.5, Number.NaN, 2 ** 48, 2 ** 50])('[DO13] are not made for the time %s', nowMs => {
    expect(() => newTaskId(nowMs, random)).toThrow(RangeError);
  });

  test.for([
    '',
    'tsk_',
    'rnr_01arz3ndektsv4rrffq69g5fav',
    'tsk_01arz3ndektsv4rrffq69g5fa',
    'tsk_01arz3ndektsv4rrffq69g5favv',
    'TSK_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    'tsk_81arz3ndektsv4rrffq69g5fav',
    'tsk_01arz3ndektsv4rrffq69g5fau',
    'tsk_01arz3ndektsv4rrffq69g5fav\n',
    'tsk_01arz3ndektsv4rrffq69g5fav/../x',
    ' tsk_01arz3ndektsv4rrffq69g5fav',
  ])('[DO14] are never %j', text => {
    expect(taskIdSchema.safeParse(text).success).toBe(false);
    expect(runnerIdSchema.safeParse(text.replace('rnr_', 'tsk_')).success).toBe(false);
  });

  test.for([
    '',
    'a',
    '-a',
    'a-',
    '1a',
    'A1',
    'a_b',
    '../x',
    'a\nb',
    'acme\n',
    'a.b',
    'a/b',
    'é1',
    `a${'b'.repeat(40)}`,
  ])('[DO15] of a pool are never %j', name => expect(poolSchema.safeParse(name).success).toBe(false));

  test('[DO15] of a pool are 2 to 40 small letters, digits and dashes', () => {
    for (const name of ['a1', 'acme', 'acme2', 'a--b', `a${'b'.repeat(39)}`]) expect(poolSchema.parse(name)).toBe(name);
  });

  test('[DO16] of branches are one for each attempt', () => {
    const id = newTaskId(0, random);
    expect(attemptBranch(id, 12)).toBe(`switchyard/${id}/e12`);
    const names = Array.from({length: 30}, (_, epoch) => attemptBranch(id, epoch + 1));
    expect(new Set([...names, attemptBranch(newTaskId(0, random), 1)]).size).toBe(31);
    for (const epoch of [0, -1, 1.5]) expect(epochSchema.safeParse(epoch).success).toBe(false);
  });
});

describe('errors', () => {
  test.for(Object.entries(errorCodes))(
    '[DO17] %s has a status of a failure and a hint of whole sentences',
    ([code, {status, hint}]) => {
      expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      expect(Number.isInteger(status) && status >= 400 && status <= 599).toBe(true);
      expect(hint).toMatch(/^[A-Z].*[^.]\.$/);
    },
  );

  test('[DO17] say not to retry what only a change can mend', () => {
    const refused = Object.entries(errorCodes).filter(([, {status}]) =>
      [400, 401, 403, 405, 413, 415].includes(status),
    );
    expect(refused.filter(([, {retry}]) => retry)).toEqual([]);
    expect(refused.length).toBeGreaterThan(5);
  });

  test('[DO18] carry their code, detail and cause, and their table says the rest', () => {
    const cause = new Error('below');
    const error = new SwitchyardError('queue_full', 'the pool acme holds 5 tasks', {cause, retryAfterMs: 100});
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({name: 'SwitchyardError', code: 'queue_full', status: 503, cause, retryAfterMs: 100});
    expect(error.message).toBe('queue_full: the pool acme holds 5 tasks');
    expect(error.hint).toBe(errorCodes.queue_full.hint);
    expect(Object.hasOwn(new SwitchyardError('internal', 'a'), 'cause')).toBe(false);
  });

  test('[DO18] have no code by inheritance', () => {
    expect(isErrorCode('internal')).toBe(true);
    for (const text of ['toString', '__proto__', 'constructor', '', 'INTERNAL']) expect(isErrorCode(text)).toBe(false);
  });
});

describe('limits', () => {
  const unitOf = (name: string) => {
    if (name.endsWith('Ms')) return 'ms';
    if (name.endsWith('BytesMax') || name.endsWith('BytesMin')) return 'bytes';
    return name.endsWith('CharactersMax') ? 'characters' : 'count';
  };

  test.for(Object.entries(limitTable))(
    '[DO19] %s has the unit that its name says, a value and a reason',
    ([name, {value, unit, why}]) => {
      expect(unit).toBe(unitOf(name));
      expect(Number.isSafeInteger(value) && value > 0).toBe(true);
      expect(why).toMatch(/^[A-Z].*[^.]\.$/);
      expect(Object.entries(limits).find(([each]) => each === name)?.[1]).toBe(value);
    },
  );

  test('[DO20] fit each other', () => {
    const rising = [
      [limits.hardKillMs, limits.softStopMs, limits.leaseTtlMs, limits.patientLeaseTtlMs],
      [limits.renewMs * 4, limits.leaseTtlMs],
      [limits.renewMs * 2, silentAfterMs({renew_ms: limits.renewMs})],
      [limits.retryBaseMs, limits.retryMaxMs],
      [limits.taskTimeoutDefaultMs, limits.taskTimeoutMaxMs],
      [limits.signatureWindowMs * 2, limits.nonceKeptMs],
      [limits.envelopeTtlMs, limits.leaseTtlMs],
      [limits.offerMs, limits.envelopeTtlMs],
      [limits.listLimitDefault, limits.listLimitMax],
      [limits.failuresKept, limits.attemptsMax],
      [limits.bodyBytesMax, limits.batchBodyBytesMax],
      [
        limits.logChunkBytesMax + logFrameHeaderBytes,
        limits.logFrameBytesMax,
        limits.logWindowBytesMax,
        limits.logBytesMax,
      ],
      [limits.specBytesMax * (4 / 3), limits.envelopeCharactersMax, limits.controlFrameBytesMax],
      [limits.messageCharactersMax * 6, limits.controlFrameBytesMax],
      [limits.logFlushWatchedMs, limits.logFlushIdleMs],
    ];
    for (const row of rising) expect(row).toEqual(row.toSorted((left, right) => left - right));
  });

  test('[DO20] of a log frame are stated once', () => {
    expect([logFrameBytesMax, logPayloadBytesMax]).toEqual([limits.logFrameBytesMax, limits.logChunkBytesMax]);
  });
});
