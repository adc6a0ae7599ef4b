import {keyOf} from '../kernel/fact.ts';
import {forbidden} from '../machine/agent-script.ts';
import type {Invariant} from './invariant.ts';

/** Enough of one end of a secret to know it by. */
const fragmentBytes = 9;
const overlap = Math.max(...forbidden.map(({length}) => length));
const star = 0x2a;

/**
 * A secret, its end, or its beginning before a mask. A beginning that nothing follows is no secret yet: an agent that is
 * killed in the middle of a word leaves one.
 */
function leakIn(bytes: Buffer): string | undefined {
  for (const secret of forbidden) {
    if (bytes.includes(secret.subarray(-fragmentBytes))) return secret.toString();
    const head = secret.subarray(0, fragmentBytes);
    for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1)) {
      let length = fragmentBytes;
      while (length < secret.length && bytes[at + length] === secret[length]) length += 1;
      if (bytes[at + length] === star) return secret.subarray(0, length).toString();
    }
  }
  return undefined;
}

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
          tails.set(key, {end: fact.offset + fact.bytes.length, tail: joined.subarray(-overlap)});
          const leaked = leakIn(joined);
          return leaked === undefined ? undefined : `${key} sent ${JSON.stringify(leaked)}, which is part of a secret`;
        },
      },
    };
  },
};
