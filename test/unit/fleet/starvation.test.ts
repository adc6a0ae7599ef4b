import fc from 'fast-check';
import {expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {queueViews} from '../../../worker/src/fleet/queue-views.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

const stepMs = limits.agingStepMs;
/** How long one attempt takes: the runner is never idle, and more comes than it can do. */
const serviceMs = stepMs / 6;

/** One runner of one slot works while `floods[i]` urgent tasks come with the i-th attempt. Answers the order of starts. */
function work(
  of: CoreWorld,
  floods: readonly (readonly string[])[],
): readonly {readonly task: string; readonly atMs: number}[] {
  const machine = of.machine();
  return floods.map((keys, index) => {
    if (keys.length > 0) of.submit(keys.map(key => ({priority: 'high', fairness_key: key})));
    if (index === 0) machine.hello();
    const attempt = machine.accept();
    const start = {task: attempt.task, atMs: of.nowMs};
    for (let renewedMs = 0; renewedMs < serviceMs; renewedMs += limits.renewMs) {
      of.advance(Math.min(limits.renewMs, serviceMs - renewedMs));
      machine.renew([attempt]);
    }
    machine.exit(attempt);
    return start;
  });
}

const others = ['b', 'c', 'd'] as const;

/** Each key has an urgent task left that waits as long as the normal one when that has reached their rank. */
const allDue = ['d d', 'd c d', 'b d c', 'b b b', 'd c', 'c', ...Array.from({length: 10}, () => 'b')].map(keys =>
  keys.split(' '),
);

test('[QU15] a normal task starts within two ageing steps and a turn of each other key, however many urgent ones of those keep coming (D11)', () => {
  const flood = fc.array(fc.constantFrom<string>(...others), {minLength: 1, maxLength: 3});
  fc.assert(
    fc.property(fc.array(flood, {minLength: 16, maxLength: 16}), fc.integer({min: 0, max: 999}), (floods, offsetMs) => {
      const of = new CoreWorld();
      of.nowMs += offsetMs;
      const sinceMs = of.nowMs;
      const id = of.one({fairness_key: 'a'});
      const start = work(of, floods).find(({task}) => task === id);
      expect(start?.atMs ?? 0).toBeGreaterThan(sinceMs);
      expect(start?.atMs ?? Infinity).toBeLessThanOrEqual(sinceMs + 2 * stepMs + others.length * serviceMs);
    }),
    {numRuns: 40, examples: [[allDue, 0]]},
  );
});

test('[QU15] of one key, only urgent tasks that came within the first ageing step go before a normal one (D11)', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({min: 1, max: 2}), {minLength: 24, maxLength: 24}), counts => {
      const of = new CoreWorld();
      const sinceMs = of.nowMs;
      const id = of.one({fairness_key: 'a'});
      const starts = work(
        of,
        counts.map(count => Array.from({length: count}, () => 'a')),
      );
      const place = starts.findIndex(({task}) => task === id);
      expect(place).toBeGreaterThan(0);
      for (const {task} of starts.slice(0, place))
        expect(of.task(task).created_ms).toBeLessThanOrEqual(sinceMs + stepMs);
    }),
    {numRuns: 40},
  );
});

test('[QU16] the queues are named by their topics, and a task that has waited an ageing step stands in the other one (D11)', () => {
  const of = new CoreWorld();
  const views = () => queueViews(of.core.sight());
  expect(views()).toEqual([
    {topic: 'queue:test:high', waiting: 0, next: null, next_queued_ms: null},
    {topic: 'queue:test:normal', waiting: 0, next: null, next_queued_ms: null},
  ]);
  const sinceMs = of.nowMs;
  const normal = of.one();
  of.nowMs += 1;
  const [high, ...rest] = of.submit([{priority: 'high'}, {priority: 1}, {priority: 4}]).ids;
  of.one({not_before_ms: of.nowMs + 1_000});
  expect(views()).toMatchObject([
    {waiting: 2, next: rest[0]},
    {waiting: 2, next: normal, next_queued_ms: sinceMs},
  ]);
  of.nowMs = sinceMs + stepMs - 1;
  expect(views()).toMatchObject([{waiting: 2}, {waiting: 2, next: normal}]);
  of.nowMs = sinceMs + stepMs;
  expect(views()).toMatchObject([{waiting: 3}, {waiting: 1, next: rest[1]}]);
  expect(high).toBeDefined();
});
