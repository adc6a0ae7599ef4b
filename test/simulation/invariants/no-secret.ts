import {keyOf} from '../kernel/fact.ts';
import {forbidden} from '../machine/agent-script.ts';
import type {Invariant} from './invariant.ts';

/** Enough of one end of a secret to know it by; a longer part holds one of these. */
const fragmentBytes = 9;
const fragments = forbidden.flatMap(secret => [secret.subarray(0, fragmentBytes), secret.subarray(-fragmentBytes)]);

export const noSecret: Invariant = {
  number: 7,
  name: 'noSecret',
  sentence: 'No byte that leaves a machine is part of a secret in any of its forms, however the stream was cut.',
  watch: () => {
    const tails = new Map<string, {end: number; tail: Buffer}>();
    return {
      on: {
        'log.sent': fact => {
          const key = keyOf(fact);
          const known = tails.get(key);
          const joined = known?.end === fact.offset ? Buffer.concat([known.tail, fact.bytes]) : Buffer.from(fact.bytes);
          tails.set(key, {end: fact.offset + fact.bytes.length, tail: joined.subarray(1 - fragmentBytes)});
          const leaked = fragments.find(fragment => joined.includes(fragment));
          return leaked === undefined
            ? undefined
            : `${key} sent ${JSON.stringify(leaked.toString())}, which is part of a secret`;
        },
      },
    };
  },
};
