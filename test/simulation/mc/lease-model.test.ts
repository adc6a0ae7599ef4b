import * as fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {check, type Counterexample} from './checker.ts';
import {variants, variantsWithout, type Variant} from './lease-designs.ts';
import {inspect, inspectBriefly} from './lease-findings.ts';
import {leaseModel, neverEnds, neverSucceeds, twoAgents, twoResults, usualBounds} from './lease-model.ts';
import {initialState, stateCode, type LeaseState} from './lease-state.ts';
import {pageWith, pageWritten} from './model-page.ts';
import type {Finding} from './model-report.ts';

/** The largest of them has half a million states. */
const timeout = 300_000;

const findings = new Map<string, Finding>();

function findingOf(name: string): Finding {
  const known = findings.get(name);
  if (known !== undefined) return known;
  const variant = variantNamed(name);
  const finding = variantsWithout.includes(variant)
    ? inspectBriefly(variant, usualBounds)
    : inspect(variant, usualBounds);
  findings.set(name, finding);
  return finding;
}

function variantNamed(name: string): Variant {
  const variant = [...variants, ...variantsWithout].find(each => each.name === name);
  if (variant === undefined) throw new Error(`no variant is called ${name}`);
  return variant;
}

/** What is broken, and in how many steps. */
function breachesOf(name: string): readonly (readonly [string, number])[] {
  return findingOf(name).verdict.broken.map(({broken, trace}) => [broken, trace.length]);
}

function traceOf(name: string, broken: string): readonly string[] {
  const found: Counterexample<LeaseState> | undefined = findingOf(name).verdict.broken.find(
    each => each.broken === broken,
  );
  return (found?.trace ?? []).map(({words}) => words);
}

describe('seven designs', {timeout}, () => {
  test('[MC5] V1: without a fence two results are accepted, and two agents work at once', () => {
    expect(breachesOf('V1')).toEqual([
      [twoAgents, 9],
      [twoResults, 6],
    ]);
    expect(traceOf('V1', twoResults)).toEqual([
      'the server grants epoch 1 to A',
      'A receives grant 1 and starts its agent',
      'A ends its agent and sends exit 1',
      'A sends exit 1 again',
      'the server receives exit 1 of A and accepts the result',
      'the server receives exit 1 of A and accepts the result',
    ]);
  });

  test('[MC6] V2: a fence on the server alone lets two agents work at once', () => {
    expect(breachesOf('V2')).toEqual([[twoAgents, 9]]);
  });

  test('[MC7] V3: so does a deadline that the runner counts from receipt', () => {
    expect(breachesOf('V3')).toEqual([[twoAgents, 9]]);
    expect(traceOf('V3', twoAgents)).toEqual([
      'the server grants epoch 1 to A',
      'tick',
      'A receives grant 1 and starts its agent',
      'tick',
      'tick',
      'tick',
      "the server's lease of epoch 1 expires",
      'the server grants epoch 2 to B',
      'B receives grant 2 and starts its agent',
    ]);
  });

  test('[MC8] V4: so does a deadline from the echo, where the agent starts on a grant that echoes nothing', () => {
    expect(breachesOf('V4')).toEqual([[twoAgents, 9]]);
    expect(traceOf('V4', twoAgents)).toEqual(traceOf('V3', twoAgents));
  });

  test('[MC9] V5: offer, accept, go, a deadline from the echo and a grace hold in every state', () => {
    const {verdict} = findingOf('V5');
    expect(verdict.broken).toEqual([]);
    expect(verdict.states).toBeGreaterThan(20_000);
  });

  test('[MC10] V5 without grace lets two agents work at once', () => {
    expect(breachesOf('V5 without grace')).toEqual([[twoAgents, 12]]);
  });

  test('[MC11] V6: a clock that sleeps with its machine lets two agents work at once', () => {
    expect(breachesOf('V6')).toEqual([[twoAgents, 15]]);
    expect(traceOf('V6', twoAgents).filter(words => words.startsWith('the machine'))).toEqual([
      'the machine of A is suspended',
      'the machine of A resumes',
    ]);
  });

  test('[MC12] V7: the boot clock, looked at before the agent resumes, holds in every state', () => {
    const {verdict} = findingOf('V7');
    expect(verdict.broken).toEqual([]);
    expect(verdict.states).toBeGreaterThan(90_000);
  });

  test('[MC13] no part of V7 is there for nothing: without any one of them a law is broken', () => {
    expect(variantsWithout.map(({name}) => [name, ...breachesOf(name).flat()])).toEqual([
      ['V7 without go', twoAgents, 9],
      ['V7 without server fence', twoResults, 8],
      ['V7 without self-fence', twoAgents, 13],
      ['V7 without echo', twoAgents, 13],
      ['V7 without grace', twoAgents, 12],
      ['V7 without boot clock', twoAgents, 15],
      ['V7 without check', twoAgents, 15],
    ]);
    const {design} = variantNamed('V7');
    const differences = variantsWithout.map(without =>
      Object.entries(without.design).filter(([part, choice]) =>
        Object.entries(design).every(([p, c]) => p !== part || c !== choice),
      ),
    );
    expect(differences.map(([difference]) => difference?.[0])).toEqual(Object.keys(design));
    expect(differences.every(({length}) => length === 1)).toBe(true);
  });
});

describe('the model', {timeout}, () => {
  const v5 = leaseModel(variantNamed('V5'), usualBounds);

  test('[MC4] a state is one number, and the number that state', () => {
    const tick = fc.nat({max: 3});
    const epoch = fc.nat({max: 2});
    const machine = fc.constantFrom('A' as const, 'B' as const);
    const runner = fc.record({
      phase: fc.constantFrom('idle' as const, 'accepted' as const, 'running' as const, 'exited' as const),
      epoch,
      leaseLeft: tick,
      startedEpoch: epoch,
      isSuspended: fc.boolean(),
    });
    const kind = fc.constantFrom('grant', 'offer', 'go', 'renewed', 'gone', 'accept', 'renew', 'exit' as const);
    const state: fc.Arbitrary<LeaseState> = fc.record({
      server: fc.record({
        phase: fc.constantFrom('free', 'offered', 'leased', 'done', 'doneTwice', 'spent' as const),
        epoch,
        holder: machine,
        leaseLeft: fc.nat({max: 4}),
      }),
      runners: fc.record({A: runner, B: runner}),
      network: fc.array(fc.record({kind, epoch, runner: machine, age: tick}), {maxLength: 2}),
    });
    const {encode, decode} = stateCode(usualBounds, 1);
    fc.assert(
      fc.property(state, before => {
        const key = encode(before);
        const after = decode(key);
        const sorted = (network: LeaseState['network']): readonly string[] =>
          network.map(message => `${message.kind} ${message.epoch} ${message.runner} ${message.age}`).toSorted();
        expect(Number.isSafeInteger(key)).toBe(true);
        expect(after).toEqual({...before, network: expect.anything()});
        expect(sorted(after.network)).toEqual(sorted(before.network));
        expect(encode({...before, network: before.network.toReversed()})).toBe(key);
      }),
    );
    expect(decode(encode(initialState))).toEqual(initialState);
  });

  test('[MC4] bounds whose states do not fit into a number are refused', () => {
    expect(() => stateCode({...usualBounds, messagesMax: 4}, 1)).toThrow('does not fit into a number');
  });

  test('[MC19] an offer that is never taken back leaves a state that can never end', () => {
    const forgetful = {
      ...v5,
      steps: (state: LeaseState) =>
        v5.steps(state).filter(({words}) => !words.startsWith('the server takes the offer')),
    };
    const {broken} = check(forgetful, {statesMax: 100_000});
    expect(broken.map(({broken: what}) => what)).toEqual([neverEnds, neverSucceeds]);
    expect(broken[0]?.trace.map(({words}) => words)).toEqual([
      'the server offers epoch 1 to A',
      'the network loses offer 1 to A',
    ]);
  });

  test('[MC19] a runner that says its accept once can be stranded for ever', () => {
    const shy = {...v5, steps: (state: LeaseState) => v5.steps(state).filter(({words}) => !words.endsWith(' again'))};
    expect(check(shy, {statesMax: 100_000}).broken.map(({broken}) => broken)).toEqual([neverEnds]);
  });

  test('[MC18] the page about the model holds what the model says', () => {
    const tables = {
      variants: variants.map(({name}) => findingOf(name)),
      without: variantsWithout.map(({name}) => findingOf(name)),
    };
    expect(pageWritten()).toBe(pageWith(tables));
  });
});
