import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build, stop, type Plugin} from 'esbuild';
import {temporaryTree} from './temporary.ts';

const bundles = new Map<string, Promise<string>>();

/**
 * A program of this folder as one module, as the runner is shipped. A process that strips types itself carries forty
 * megabytes more, which makes every process that it starts dearer.
 */
export function programBundle(program: string): Promise<string> {
  const known = bundles.get(program) ?? bundle(program);
  bundles.set(program, known);
  return known;
}

async function bundle(program: string): Promise<string> {
  const outfile = join(temporaryTree('bench-program-').path, 'program.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL(program, import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'error',
    banner: {js: "import {createRequire as $require} from 'node:module'; const require = $require(import.meta.url);"},
    plugins: [peersStayOutside],
  }).finally(() => void stop());
  return outfile;
}

/** Peers run from where they are installed, as their own documentation has it. */
const peersStayOutside: Plugin = {
  name: 'peers-stay-outside',
  setup: plugin => {
    plugin.onResolve({filter: /\/peers\/\w+\.mjs$/}, ({path, resolveDir}) => ({
      path: join(resolveDir, path),
      external: true,
    }));
  },
};
