// The program as one bundle, built by esbuild from the sources once for each state of them. Stripping types from some
// three hundred files at every start costs a third of a second and forty megabytes; a bundle costs neither.
import {spawnSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, statSync, unlinkSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const runner = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(runner, 'node_modules/.cache/switchyard');
const sources = [join(runner, 'src'), join(runner, '../shared/src')];
/** Older bundles that are kept, because a process that runs one may still load a part of it. */
const KEPT = 3;
/** What is younger may be in use or in the making by another process. */
const YOUNG_MS = 3_600_000;

/** Path of a module that is the program: the bundle, or the sources where it cannot be built. */
export function program() {
  const entry = join(runner, 'src/main.ts');
  try {
    const bundle = join(cache, sourceKey());
    if (!existsSync(join(bundle, 'main.mjs'))) build(bundle);
    return join(bundle, 'main.mjs');
  } catch {
    return entry;
  }
}

/** Changes with every change of a source: names, sizes and times are enough, and far cheaper than reading. */
function sourceKey() {
  const hash = createHash('sha256');
  for (const folder of sources) {
    for (const entry of readdirSync(folder, {recursive: true, withFileTypes: true})) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const {mtimeMs, size} = statSync(path);
      hash.update(`${path}\0${mtimeMs}\0${size}\0`);
    }
  }
  return hash.digest('hex').slice(0, 24);
}

/** In a process of its own, so that the program never carries esbuild's memory. */
function build(bundle) {
  const draft = `${bundle}.${randomBytes(6).toString('hex')}`;
  mkdirSync(cache, {recursive: true});
  const self = fileURLToPath(import.meta.url);
  const result = spawnSync(process.execPath, [self, draft], {stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000});
  if (result.status !== 0) throw new Error(String(result.stderr));
  try {
    renameSync(draft, bundle);
  } catch (error) {
    if (!existsSync(join(bundle, 'main.mjs'))) throw error;
    remove(draft);
  }
  try {
    prune();
  } catch {
    // Another process prunes too; the bundle is there.
  }
}

/** Ends what is left of builds that were cut off, and all but the newest bundles. */
function prune() {
  const old = readdirSync(cache)
    .map(name => ({name, ms: statSync(join(cache, name), {throwIfNoEntry: false})?.mtimeMs ?? Infinity}))
    .filter(({ms}) => Date.now() - ms > YOUNG_MS)
    .toSorted((left, right) => right.ms - left.ms);
  const kept = old.filter(({name}) => !name.includes('.')).slice(0, KEPT);
  for (const each of old) if (!kept.includes(each)) remove(join(cache, each.name));
}

function remove(bundle) {
  for (const name of readdirSync(bundle)) unlinkSync(join(bundle, name));
  rmdirSync(bundle);
}

async function buildInto(directory) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    entryPoints: [join(runner, 'src/main.ts')],
    outdir: directory,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    outExtension: {'.js': '.mjs'},
    legalComments: 'none',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'error',
    // Found from the cache directory as they are from the sources, and only loaded where they are used.
    external: ['miniflare', 'esbuild'],
    banner: {js: "import {createRequire as $require} from 'node:module'; const require = $require(import.meta.url);"},
    plugins: [{name: 'source-urls', setup: keepSourceUrls}],
  });
}

/** Files that lie beside a source (the shim, the bundled agent) are found where the source is, not where the bundle is. */
function keepSourceUrls(build) {
  build.onLoad({filter: /[\\/](?:runner|shared)[\\/]src[\\/].*\.ts$/}, ({path}) => {
    const text = readFileSync(path, 'utf8');
    return {loader: 'ts', contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))};
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildInto(process.argv[2]);
