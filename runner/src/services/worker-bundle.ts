import {createHash} from 'node:crypto';
import {existsSync} from 'node:fs';
import {glob, mkdir, readdir, readFile, stat, unlink} from 'node:fs/promises';
import {join} from 'node:path';
import {build, stop, version} from 'esbuild';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {writePrivateFile} from './private-file.ts';

/** Old bundles that are kept, so that going back to the version before costs no build. */
const bundlesKept = 3;

/**
 * The Worker as one module, built by esbuild the way wrangler does and kept under the hash of everything it is made
 * from, so that a second start builds nothing.
 *
 * @throws SwitchyardError `configuration_invalid` when the sources do not build
 */
export async function workerBundle(repository: string, cacheDirectory: string): Promise<string> {
  const path = join(cacheDirectory, `${await sourceHash(repository)}.mjs`);
  if (existsSync(path)) return path;
  await mkdir(cacheDirectory, {recursive: true, mode: 0o700});
  const entry = join(repository, 'worker/src/worker.ts');
  if (!existsSync(entry))
    throw new SwitchyardError('configuration_invalid', `${entry} is missing: install Switchyard again`);
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: repository,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*'],
    loader: {'.sql': 'text'},
    sourcemap: 'inline',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
  })
    .catch((error: unknown) => {
      const [first] = String(error).split('\n').slice(1);
      throw new SwitchyardError('configuration_invalid', `the Worker does not build: ${first ?? String(error)}`, {
        cause: error,
      });
    })
    // Its process would stay for the next build, sixty megabytes large.
    .finally(() => void stop());
  await writePrivateFile(path, result.outputFiles[0]?.text ?? '');
  await removeOldBundles(cacheDirectory);
  return path;
}

async function sourceHash(repository: string): Promise<string> {
  const patterns = ['worker/src/**/*', 'shared/src/**/*', 'migrations/**/*', 'pnpm-lock.yaml'];
  const files: string[] = [];
  for await (const entry of glob(patterns, {cwd: repository, withFileTypes: true}))
    if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  const hash = createHash('sha256').update(version);
  for (const file of files.toSorted()) hash.update(`\0${file.slice(repository.length)}\0`).update(await readFile(file));
  return hash.digest('hex').slice(0, 32);
}

async function removeOldBundles(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter(name => name.endsWith('.mjs'));
  const aged = await Promise.all(names.map(async name => ({name, ms: (await stat(join(directory, name))).mtimeMs})));
  const old = aged.toSorted((left, right) => right.ms - left.ms).slice(bundlesKept);
  await Promise.all(old.map(({name}) => unlink(join(directory, name)).catch(() => undefined)));
}
