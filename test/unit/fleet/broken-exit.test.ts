import {expect, test} from 'vitest';
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
