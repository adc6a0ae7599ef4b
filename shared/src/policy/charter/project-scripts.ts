import type {Act} from './act.ts';
import {normalPath} from './place.ts';
import type {Reader} from './reader.ts';
import {supposed} from './script-file.ts';
import {textOf, type Word} from './shell-tree.ts';

const linesMax = 500;

/**
 * The commands that a project has written down under the name that a runner of scripts is given. They raise a question
 * and refuse nothing: which of them run, and with which words, is a matter of that program.
 */
export function projectScripts(program: string, words: readonly Word[], reader: Reader): readonly Act[] {
  if (reader.scene.readText === undefined || reader.guessesLeft === 0) return [];
  if (packageRunners.has(program)) return packageScripts(words, reader);
  return program === 'make' || program === 'gmake' ? recipes(words, reader) : [];
}

const packageRunners = new Set(['npm', 'pnpm', 'yarn', 'bun']);
const shortNames: Readonly<Record<string, string>> = {t: 'test', tst: 'test'};

function packageScripts(words: readonly Word[], reader: Reader): readonly Act[] {
  const texts = words.map(word => textOf(word) ?? '').filter(text => text !== '' && !text.startsWith('-'));
  const [verb = '', next = ''] = texts;
  const name = verb === 'run' || verb === 'run-script' || verb === 'rum' ? next : (shortNames[verb] ?? verb);
  return filesHere(['package.json'], reader).flatMap(text => {
    const scripts = scriptsOf(text);
    return [`pre${name}`, name, `post${name}`].flatMap(each => {
      const script = Object.hasOwn(scripts, each) ? scripts[each] : undefined;
      return typeof script === 'string' ? supposed(script, reader) : [];
    });
  });
}

function scriptsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    const scripts: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'scripts') : undefined;
    return typeof scripts === 'object' && scripts !== null ? {...scripts} : {};
  } catch {
    return {};
  }
}

/** Every line of every recipe: which target is made, and what it needs, is not read. */
function recipes(words: readonly Word[], reader: Reader): readonly Act[] {
  const named = words.flatMap((word, index) =>
    /^-f$|^--(?:make)?file$/.test(word.literal) ? (words[index + 1]?.literal ?? []) : [],
  );
  return filesHere(['GNUmakefile', 'makefile', 'Makefile', ...named], reader).flatMap(text =>
    text
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter(line => line.startsWith('\t'))
      .slice(0, linesMax)
      .flatMap(line => supposed(line.replace(/^[\t @+-]*/, '').replaceAll('$$', '$'), reader)),
  );
}

function filesHere(names: readonly string[], {folders, scene}: Reader): readonly string[] {
  return folders.flatMap(folder =>
    folder === undefined
      ? []
      : names.flatMap(name => scene.readText?.(normalPath(name.startsWith('/') ? name : `${folder}/${name}`)) ?? []),
  );
}
