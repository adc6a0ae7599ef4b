import {readFileSync} from 'node:fs';
import {registerHooks} from 'node:module';
import {fileURLToPath} from 'node:url';
import {mutants, type Mutant} from './mutants.ts';

const root = new URL('../../../', import.meta.url);

/**
 * Plants one bug in the shipped code of this process: the file is changed as it is loaded, so this must be called before
 * anything imports it. Throws when the mutant is unknown, or its text is not in the file exactly once.
 */
export function plant(id: string): Mutant {
  const mutant = mutants.find(each => each.id === id);
  if (mutant === undefined)
    throw new Error(`there is no mutant ${id}; there are ${mutants.map(each => each.id).join(', ')}`);
  const url = new URL(mutant.file, root).href;
  mutated(mutant, readFileSync(fileURLToPath(url), 'utf8'));
  registerHooks({
    load: (loaded, context, next) => {
      const result = next(loaded, context);
      if (loaded !== url) return result;
      const {source} = result;
      const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString();
      return {...result, source: mutated(mutant, text)};
    },
  });
  return mutant;
}

/** The source with the bug in it. */
export function mutated({id, file, find, replace}: Mutant, source: string): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`mutant ${id}: its text is ${count} times in ${file}, not once`);
  return source.replace(find, () => replace);
}
