import {globSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {transformSync} from 'esbuild';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export type Source = {
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
};

/** The files that match. Throws when a pattern matches none: a check that walked nothing would be green for ever. */
export function sources(patterns: readonly string[], cwd = root): readonly Source[] {
  return patterns.flatMap(pattern => {
    const paths = globSync(pattern, {cwd, exclude: path => path.includes('node_modules')}).toSorted();
    if (paths.length === 0) throw new Error(`the walk found no file for ${pattern}`);
    return paths.map(path => ({path, text: readFileSync(`${cwd}/${path}`, 'utf8')}));
  });
}

/** What runs: the text without types and comments, so that prose about a word is not taken for its use. */
export function codeOf({path, text}: Source): string {
  const {code} = transformSync(text, {loader: 'ts', sourcefile: path, format: 'esm', legalComments: 'none'});
  return code;
}

const statement = /^(?:import|export)\b[^'";]*?\bfrom\s+'(?<from>[^']+)'|^import\s+'(?<effect>[^']+)'/gm;
const dynamic = /\bimport\(\s*'(?<lazy>[^']+)'/g;

/** Every module that a file names, for its values or for its types. */
export function importsOf(text: string): readonly string[] {
  return [...text.matchAll(statement), ...text.matchAll(dynamic)].map(
    ({groups}) => groups?.['from'] ?? groups?.['effect'] ?? groups?.['lazy'] ?? '',
  );
}
