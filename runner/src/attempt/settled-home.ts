import {glob, lstat, mkdir, realpath, rename} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import type {DriverPlan} from '../agent/driver.ts';
import {writeRunFile} from '../executor/run-directory.ts';
import type {WorktreeContext} from '../worktree/places.ts';
import {discard} from '../worktree/remove.ts';

/**
 * Makes the home of an agent ready for its program: the settings of the driver, and of what an earlier attempt left there
 * only its session, where the driver says what that is. Programs run much that lies in their homes, and the agent could
 * write there what nobody was asked about. A call that was broken off is finished by the next one.
 */
export async function settleHome(
  context: WorktreeContext,
  home: string,
  {files, session}: Pick<DriverPlan, 'files' | 'session'>,
): Promise<void> {
  if (session !== undefined) await keepOnly(context, home, session);
  for (const {path, text} of files) {
    await mkdir(join(home, dirname(path)), {recursive: true, mode: 0o700});
    await writeRunFile(home, path, text);
  }
}

async function keepOnly(context: WorktreeContext, home: string, patterns: readonly string[]): Promise<void> {
  const left = `${home}.left`;
  if (await isThere(left)) {
    // Broken off before, or made by the agent: what lies in the home is sorted like the rest.
    await mkdir(home, {recursive: true, mode: 0o700});
    await move(patterns, home, left);
    await discard(context, home);
  } else await rename(home, left);
  await mkdir(home, {recursive: true, mode: 0o700});
  await move(patterns, left, home);
  await discard(context, left);
}

/** Behind a link lie files of somebody else: they stay where they are. */
async function move(patterns: readonly string[], from: string, to: string): Promise<void> {
  const root = join(await realpath(dirname(from)), basename(from));
  for await (const path of glob([...patterns], {cwd: from})) {
    if ((await realpath(join(from, dirname(path)))) !== join(root, dirname(path))) continue;
    await mkdir(join(to, dirname(path)), {recursive: true, mode: 0o700});
    await rename(join(from, path), join(to, path));
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
