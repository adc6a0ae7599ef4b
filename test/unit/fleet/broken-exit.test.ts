import {expect, test} from 'vitest';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {CoreWorld, failedResult} from '../../fixtures/fleet-core.ts';

test('[LP19] an exit that the Fleet breaks on is refused, changes nothing, and keeps nobody from being heard', () => {
  const of = new CoreWorld();
  const machine = of.machine();
  machine.hello(2);
  const [broken, fine] = [of.one({attempts_max: 1}), of.one({attempts_max: 1})];
  const offers = machine.offers();
  for (const offer of offers) machine.say({t: 'accept', ...offer, ts: 1});
  of.sql.run("UPDATE task SET failures = 'no JSON' WHERE id = ?", broken);
  of.restart();
  of.take(machine.id);
  for (const offer of offers) machine.exit(offer, failedResult);
  expect(of.take(machine.id)).toMatchObject([
    {t: 'exit_nack', task: broken, why: 'invalid'},
    {t: 'exit_ack', task: fine},
  ]);
  expect(of.core.refused).toMatchObject({'exit.failed': 1});
  expect(of.task(fine).state).toBe('dead');
  expect(of.task(broken)).toMatchObject({state: 'leased', result: null});
  expect(of.closed).toEqual([]);
  of.sql.run("UPDATE task SET failures = '[]' WHERE id = ?", broken);
  of.restart();
  const [again] = offers.filter(({task}) => task === broken);
  if (again !== undefined) machine.exit(again, failedResult);
  expect(of.take(machine.id)).toMatchObject([{t: 'exit_ack', task: broken}]);
});

test('[LP19] a disk that is full is no fault of an exit: it is refused nothing, and taken once there is room', () => {
  const of = new CoreWorld();
  const machine = of.machine();
  machine.hello();
  of.one({});
  const attempt = machine.accept();
  const words = {kind: 'question', tool: 'ask', input: '"?"', reason: 'which one?', rule: null, expires_in_ms: 60_000};
  machine.say({t: 'ask', ...attempt, id: 'toolu_1', ...words});
  of.sql.run(
    "CREATE TRIGGER full BEFORE INSERT ON approval BEGIN SELECT RAISE(ABORT, 'database or disk is full: SQLITE_FULL'); END",
  );
  of.take(machine.id);
  const waiting: AttemptResult = {kind: 'waiting', asks: ['toolu_1']};
  expect(() => machine.exit(attempt, waiting)).toThrow('SQLITE_FULL');
  expect(of.take(machine.id)).toEqual([]);
  of.sql.run('DROP TRIGGER full');
  machine.exit(attempt, waiting);
  expect(of.take(machine.id)).toMatchObject([{t: 'exit_ack'}]);
});

test('[LP19] of an exit that breaks in the middle nothing that its agent asked is settled', () => {
  const of = new CoreWorld();
  const machine = of.machine();
  machine.hello();
  const task = of.one({});
  const attempt = machine.accept();
  const words = {kind: 'question', tool: 'ask', input: '"?"', reason: 'which one?', rule: null, expires_in_ms: 60_000};
  for (const id of ['toolu_1', 'toolu_2']) machine.say({t: 'ask', ...attempt, id, ...words});
  const asks = () => of.sql.all<{ask: string; state: string}>('SELECT ask, state FROM approval WHERE task = ?', task);
  const before = asks();
  of.sql.run("CREATE TRIGGER odd BEFORE INSERT ON approval WHEN NEW.carried = 1 BEGIN SELECT RAISE(ABORT, 'odd'); END");
  of.take(machine.id);
  machine.exit(attempt, {kind: 'waiting', asks: ['toolu_2']});
  expect(of.take(machine.id)).toMatchObject([{t: 'exit_nack', why: 'invalid'}]);
  expect(asks()).toEqual(before);
  of.sql.run('DROP TRIGGER odd');
  of.sql.run(
    "CREATE TRIGGER odd BEFORE INSERT ON approval WHEN NEW.ask = 'toolu_1' BEGIN SELECT RAISE(ABORT, 'odd'); END",
  );
  machine.exit(attempt, {kind: 'waiting', asks: []});
  expect(asks()).toEqual(before);
  of.sql.run('DROP TRIGGER odd');
  machine.exit(attempt);
  expect(asks()).toMatchObject([{state: 'withdrawn'}, {state: 'withdrawn'}]);
});
