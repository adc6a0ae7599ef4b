import {describe, expect, test} from 'vitest';
import {step, terminalStates, toMermaid, type Machine} from '@switchyard/shared/machine/machine.ts';

type Facts = {readonly open: boolean; readonly paid: boolean};

const gate: Machine<'shut' | 'ajar' | 'wide', 'push' | 'lock', 'isOpen' | 'isPaid', 'ring' | 'count', Facts> = {
  initial: 'shut',
  table: {
    shut: {
      push: [
        {when: 'isPaid', to: 'wide', run: ['ring', 'count']},
        {when: 'isOpen', to: 'ajar'},
      ],
      lock: [{to: 'shut'}],
    },
    ajar: {
      push: [
        {when: 'isPaid', to: 'wide'},
        {to: 'ajar', run: ['ring']},
      ],
    },
    wide: {},
  },
  guards: {isOpen: ({open}) => open, isPaid: ({paid}) => paid},
};

describe('a step', () => {
  test('[MA1] takes the first arrow whose guard holds', () => {
    expect(step(gate, 'shut', 'push', {open: true, paid: true})).toEqual({
      taken: true,
      to: 'wide',
      effects: ['ring', 'count'],
    });
    expect(step(gate, 'shut', 'push', {open: true, paid: false})).toEqual({taken: true, to: 'ajar', effects: []});
    expect(step(gate, 'ajar', 'push', {open: true, paid: false})).toEqual({taken: true, to: 'ajar', effects: ['ring']});
  });

  test('[MA2] is refused with its reason where no arrow may be taken', () => {
    expect(step(gate, 'shut', 'push', {open: false, paid: false})).toEqual({taken: false, refused: 'no-guard-held'});
    expect(step(gate, 'wide', 'push', {open: true, paid: true})).toEqual({taken: false, refused: 'no-arrow'});
  });
});

test('[MA3] the states that accept no event are the terminal ones', () => {
  expect([...terminalStates(gate.table)]).toEqual(['wide']);
});

test('[MA4] the diagram has one line for each arrow, with its guard', () => {
  expect(toMermaid(gate.initial, gate.table)).toBe(
    [
      'stateDiagram-v2',
      '  [*] --> shut',
      '  shut --> wide: push [isPaid]',
      '  shut --> ajar: push [isOpen]',
      '  shut --> shut: lock',
      '  ajar --> wide: push [isPaid]',
      '  ajar --> ajar: push',
    ].join('\n'),
  );
});
