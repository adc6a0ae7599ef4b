import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

import {buildAutomaton, type Needle, type NeedleAutomaton} from './needle-automaton.ts';
import {formsOfSecret, secretBytesMin} from './secret-forms.ts';
import {pemBytesMax, pemEnd, tokenRules} from './token-rules.ts';

/** A longer value is a file, not a secret; what it protects must be registered piece by piece. */
export const secretBytesMax = 16 * 1024;

/** The number that stands for `pemEnd` among the numbers of the rules. */
export const pemEndRule = tokenRules.length;

const literals: readonly Needle[] = [...tokenRules.map(rule => rule.literal), pemEnd].map((literal, means) => ({
  bytes: Buffer.from(literal),
  means,
}));

/**
 * What the redactors of one attempt look for. A secret must be added before it is put where the agent can print it;
 * from then on no redactor that shares this lets it pass.
 */
export class Secrets {
  readonly #needles = new Map<string, Needle>();
  #automaton: NeedleAutomaton = buildAutomaton(literals);

  /**
   * Answers with the values that are too short to be masked (see `secretBytesMin`). Throws `configuration_invalid`,
   * with nothing added, for one too long or when all together need too much memory: do not use such a secret.
   */
  add(values: readonly string[]): {readonly tooShort: number} {
    const added = new Map<string, Needle>();
    let tooShort = 0;
    for (const value of values) {
      const bytes = Buffer.byteLength(value.trim());
      if (bytes > secretBytesMax) {
        throw new SwitchyardError(
          'configuration_invalid',
          `a secret has ${bytes} bytes, at most ${secretBytesMax} can be masked`,
        );
      }
      if (bytes < secretBytesMin) {
        tooShort++;
        continue;
      }
      for (const form of formsOfSecret(value))
        added.set(Buffer.from(form).toString('latin1'), {bytes: form, means: 'secret'});
    }
    const isNew = [...added.keys()].some(key => !this.#needles.has(key));
    if (isNew) {
      this.#automaton = buildAutomaton([...literals, ...this.#needles.values(), ...added.values()]);
      for (const [key, needle] of added) this.#needles.set(key, needle);
    }
    return {tooShort};
  }

  /** Replaced as a whole when a secret is added. */
  get automaton(): NeedleAutomaton {
    return this.#automaton;
  }

  /** Raw bytes before an offset that a new redactor must see to mask from that offset on as the old one would have. */
  get contextBytes(): number {
    return this.#automaton.contextBytes + pemBytesMax + 64;
  }
}
