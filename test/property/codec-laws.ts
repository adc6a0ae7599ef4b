import fc from 'fast-check';
import {expect} from 'vitest';
import type * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {UsageError} from '../../runner/src/commands/usage-error.ts';
import {tries} from './fuzz-settings.ts';
import {outsideText} from './hostile-input.ts';
import {valuesOf} from './schema-arbitrary.ts';

/** A reader of text from outside with its writer. Two laws hold for each, whatever it reads. */
export type Codec = {
  /** The name under which `inventory.ts` lists the parser. */
  readonly name: string;
  /** Texts that the writer writes. */
  readonly valid: fc.Arbitrary<string>;
  /** What the text means, or `refused`. May throw what it documents: `SwitchyardError`, `UsageError`. */
  readonly decode: (text: string) => unknown;
  /** The text of what was decoded. */
  readonly encode: (value: never) => string;
  /** True where every member must be known: then nothing that was said may be missing in what was understood. */
  readonly isStrict: boolean;
};

export const refused = Symbol('refused');

/** Writes a codec down without losing the type between its two halves. */
export function codec<Value>(it: {
  readonly name: string;
  readonly valid: fc.Arbitrary<string>;
  readonly decode: (text: string) => Value | typeof refused | Promise<Value | typeof refused>;
  readonly encode: (value: Value) => string;
  readonly isStrict?: boolean;
}): Codec {
  return {isStrict: false, ...it};
}

/** The value, or `refused` for an error of the documented kinds; every other error is a failure of the test. */
export async function outcomeOf(decode: () => unknown): Promise<unknown> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof SwitchyardError || error instanceof UsageError) return refused;
    throw error;
  }
}

/**
 * Whatever the text, the reader answers or refuses in a documented way; and what it takes can be written again and is
 * then taken as the same, so that it takes nothing that its writer could not mean.
 */
export async function assertTakesOnlyItsOwn({valid, decode, encode, isStrict}: Codec, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(outsideText(valid), async text => {
      const first = await outcomeOf(() => decode(text));
      if (first === refused) return;
      const written = encode(first as never);
      const second = await outcomeOf(() => decode(written));
      expect(second, written).not.toBe(refused);
      expect(encode(second as never)).toBe(written);
      if (isStrict) expect(membersLost(JSON.parse(text), JSON.parse(written)), text).toEqual([]);
    }),
    tries(runs),
  );
}

/** Paths of the members that were said and not understood. A member called like the prototype is dropped everywhere. */
function membersLost(said: unknown, understood: unknown, path = ''): readonly string[] {
  if (typeof said !== 'object' || said === null) return [];
  if (typeof understood !== 'object' || understood === null) return [path];
  return Object.entries(said).flatMap(([name, value]) => {
    if (name === '__proto__') return [];
    const at = `${path}/${name}`;
    return Object.hasOwn(understood, name) ? membersLost(value, Reflect.get(understood, name), at) : [at];
  });
}

/** What was written is read as what was meant. */
export async function assertRoundTrip({valid, decode, encode}: Codec, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(valid, async text => {
      const value = await outcomeOf(() => decode(text));
      expect(value, text).not.toBe(refused);
      expect(encode(value as never)).toBe(text);
    }),
    tries(runs),
  );
}

/** The texts in which a schema's values travel: JSON of what the schema makes of them, with its defaults. */
export function jsonOf(schema: z.ZodType): fc.Arbitrary<string> {
  return valuesOf(schema).map(value => JSON.stringify(schema.parse(value)));
}
