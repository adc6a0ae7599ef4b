import {describe, expect, test} from 'vitest';
import {check, type Model, type Step} from './checker.ts';

/** A walk on the numbers from 0 to 99; every toy below is one with arrows of its own. */
function walk(steps: (at: number) => readonly Step<number>[], over: Partial<Model<number>> = {}): Model<number> {
  return {initial: 0, encode: at => at, decode: key => key, steps, laws: [], goals: [], ...over};
}

const to = (words: string, at: number): Step<number> => ({words, to: at});
const upTo = (max: number, steps: readonly Step<number>[]): readonly Step<number>[] =>
  steps.filter(step => step.to >= 0 && step.to <= max);
const unlimited = {statesMax: 1_000};

describe('the checker', () => {
  const plusAndTimes = walk(at => upTo(99, [to('add one', at + 1), to('double', at * 2)]));

  test('[MC1] finds the shortest way to what a law forbids, and says it step by step', () => {
    const model = {...plusAndTimes, laws: [{broken: 'ten', holds: (at: number) => at !== 10}]};
    const {broken} = check(model, unlimited);
    expect(broken.map(({broken: what}) => what)).toEqual(['ten']);
    // 0 1 2 4 5 10 and no shorter way; which of the ways to 2 is taken does not matter.
    expect(broken[0]?.trace).toHaveLength(5);
    expect(broken[0]?.trace.map(({to: at}) => at)).toEqual([1, 2, 4, 5, 10]);
    expect(broken[0]?.trace.at(-1)?.words).toBe('double');
  });

  test('[MC1] looks at every state when no law is broken', () => {
    const model = {...plusAndTimes, laws: [{broken: 'out', holds: (at: number) => at <= 99}]};
    expect(check(model, unlimited)).toEqual({states: 100, depth: 12, broken: []});
  });

  test('[MC1] names each broken law with a way of its own, and goes on behind none of them', () => {
    const laws = [7, 8, 50].map(bad => ({broken: `${bad}`, holds: (at: number) => at !== bad}));
    const {broken} = check(
      walk(at => upTo(60, [to('add one', at + 1), to('add two', at + 2)]), {laws}),
      unlimited,
    );
    expect(broken.map(({broken: what, trace}) => [what, trace.length])).toEqual([
      ['7', 4],
      ['8', 4],
    ]);
  });

  test('[MC1] stops at the first breach when one is enough', () => {
    const laws = [{broken: 'one', holds: (at: number) => at !== 1}];
    const model = walk(at => (at === 0 ? [to('up', 1), to('far', 2)] : upTo(99, [to('on', at + 1)])), {laws});
    expect(check(model, unlimited).states).toBe(100);
    expect(check(model, {...unlimited, stopsAtBreach: true})).toMatchObject({states: 3, broken: [{broken: 'one'}]});
  });

  test('[MC1] finds a law that the first state breaks', () => {
    const laws = [{broken: 'at once', holds: () => false}];
    expect(
      check(
        walk(() => [], {laws}),
        unlimited,
      ),
    ).toEqual({
      states: 1,
      depth: 0,
      broken: [{broken: 'at once', trace: []}],
    });
  });

  const ends = {broken: 'no end', from: () => true, to: (at: number) => at === 9};

  test('[MC2] finds the dead end from which nothing leads to a goal', () => {
    const model = walk(at => (at === 5 ? [] : upTo(9, [to('on', at + 1), to('jump', at + 4)])), {goals: [ends]});
    const {broken} = check(model, unlimited);
    expect(broken[0]?.trace.map(({words}) => words)).toEqual(['on', 'jump']);
  });

  test('[MC2] finds the circle that nobody can leave', () => {
    const turns = (at: number): readonly Step<number>[] => (at >= 20 ? [to('turn', at === 29 ? 20 : at + 1)] : []);
    const model = walk(
      at => [...turns(at), ...(at < 9 ? [to('on', at + 1)] : []), ...(at === 3 ? [to('in', 20)] : [])],
      {
        goals: [ends],
      },
    );
    expect(check(model, unlimited).broken[0]?.trace.map(({words}) => words)).toEqual(['on', 'on', 'on', 'in']);
  });

  test('[MC2] is content when every state that must reach a goal can', () => {
    const model = walk(at => [to('on', (at + 1) % 10), ...(at === 9 ? [to('out', 10)] : [])].filter(() => at !== 10));
    expect(check({...model, goals: [ends]}, unlimited).broken.map(({trace}) => trace.length)).toEqual([10]);
    expect(check({...model, goals: [{...ends, from: at => at < 10}]}, unlimited).broken).toEqual([]);
  });

  test('[MC3] proves nothing of a model with more states than the cap, and says so', () => {
    expect(() => check(plusAndTimes, {statesMax: 99})).toThrow('more than 99 states, so nothing is proved');
    expect(check(plusAndTimes, {statesMax: 100}).states).toBe(100);
  });

  test('[MC3] a model whose steps differ from one time to the next is an error', () => {
    let asked = 0;
    const laws = [{broken: 'five', holds: (at: number) => at !== 5}];
    const model = walk(at => [to('on', at + (asked++ < 5 ? 1 : 2))], {laws});
    expect(() => check(model, unlimited)).toThrow('other steps');
  });
});
