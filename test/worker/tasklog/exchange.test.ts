import {expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import type {RunnerState} from '../../../worker/src/tasklog/socket-role.ts';
import {frame, hashOf, newLog} from './log-world.ts';

const attemptOf = ({task, runner}: ReturnType<typeof newLog>, epoch: number): RunnerState => ({
  role: 'runner',
  task,
  epoch,
  runner,
});

test('[TL24] frames by request are stored, acknowledged and sealed as over a socket', async () => {
  const it = newLog();
  const attempt = attemptOf(it, 1);
  expect(await it.log.exchange(attempt, [])).toEqual({ok: true, len: 0, watching: 0, messages: []});
  const first = await it.log.exchange(attempt, [frame(0, utf8('hello ')), frame(6, utf8('world'))]);
  expect(first).toMatchObject({
    ok: true,
    len: 11,
    messages: [
      {t: 'ack', len: 6},
      {t: 'ack', len: 11},
    ],
  });
  const gap = await it.log.exchange(attempt, [frame(20, utf8('far'))]);
  expect(gap).toMatchObject({ok: true, len: 11, messages: [{t: 'nack', len: 11}]});
  const end = JSON.stringify({t: 'end', len: 11, sha256: await hashOf(utf8('hello world'))});
  const sealed = await it.log.exchange(attempt, [end]);
  expect(sealed).toMatchObject({ok: true, messages: [{t: 'sealed', len: 11}]});
  // A lost answer is asked for again: the receipt is the same.
  expect(await it.log.exchange(attempt, [end])).toEqual(sealed);
  expect(await it.stored()).toEqual(utf8('hello world'));
});

test('[TL25] a fenced attempt and a malformed frame get nothing in by request either', async () => {
  const it = newLog();
  await it.log.exchange(attemptOf(it, 2), [frame(0, utf8('new'))]);
  const late = await it.log.exchange(attemptOf(it, 1), [frame(0, utf8('old'))]);
  expect(late).toMatchObject({ok: true, messages: [{t: 'gone'}]});
  expect(await it.log.exchange(attemptOf(it, 2), [new Uint8Array([9, 9, 9])])).toMatchObject({ok: false});
  expect(await it.stored()).toEqual(utf8('new'));
  await it.log.fence(2);
  const end = JSON.stringify({t: 'end', len: 3, sha256: await hashOf(utf8('new'))});
  for (const message of [frame(3, utf8('!')), end])
    expect(await it.log.exchange(attemptOf(it, 2), [message])).toMatchObject({ok: true, messages: [{t: 'gone'}]});
  expect(await it.stored()).toEqual(utf8('new'));
});
