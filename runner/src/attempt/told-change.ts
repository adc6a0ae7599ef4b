import {chmod} from 'node:fs/promises';
import {join} from 'node:path';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Change, RestOfChange, ShownChange} from '@switchyard/shared/prompts/brief.ts';
import {toldOfChange} from '@switchyard/shared/prompts/task-prompt.ts';
import {writeRunFile} from '../executor/run-directory.ts';
import {readDifference, type Difference} from '../worktree/difference.ts';
import type {Worktree} from '../worktree/places.ts';
import type {Trees} from './attempt-tree.ts';
import type {AttemptPlan} from './attempt-work.ts';

const CHANGE_FILE = 'change.diff';

type Place = {readonly runDir: string; readonly worktree: Worktree; readonly signal: AbortSignal};

/**
 * The change that an attempt is told of: what the commit that its worktree begins at brings to the branch that it is to
 * be merged into. What is too long for a prompt lies in the run directory, in a file that nobody writes again.
 *
 * Throws `base_not_found` where that branch does not exist.
 */
export async function changeOf(
  {context, mirrors}: Trees,
  plan: AttemptPlan,
  {runDir, worktree, signal}: Place,
): Promise<Change | undefined> {
  const {repository} = plan.spec;
  const told = toldOfChange(plan.spec);
  if (told === null || repository === undefined) return undefined;
  const against = await mirrors.resolveBase(worktree.mirror, repository.against, {signal});
  const difference = await readDifference(context, worktree, {
    againstSha: against.sha,
    filesMax: limits.changedFilesShownMax,
    patchBytesMax: told === 'whole' ? limits.changeFileBytesMax : 0,
  });
  const {fromSha: from, toSha: head} = difference;
  const change = {head, from, into: against.branch ?? against.sha};
  return told === 'whole' ? {...change, shown: await shown(runDir, difference)} : change;
}

async function shown(runDir: string, {total, files, filesMore, patch, isCut}: Difference): Promise<ShownChange> {
  const whole = {total, files: files.join('\n'), filesMore};
  const begin = wholeLines(patch, limits.changeShownBytesMax);
  if (begin.byteLength === patch.byteLength && !isCut) return {...whole, patch: textOf(patch)};
  return {...whole, patch: textOf(begin), rest: await keepRest(runDir, {patch, begin, isWhole: !isCut})};
}

async function keepRest(
  runDir: string,
  {patch, begin, isWhole}: {readonly patch: Uint8Array; readonly begin: Uint8Array; readonly isWhole: boolean},
): Promise<RestOfChange> {
  await writeRunFile(runDir, CHANGE_FILE, textOf(patch));
  const path = join(runDir, CHANGE_FILE);
  await chmod(path, 0o400);
  return {path, line: linesIn(begin) + 1, isWhole};
}

const NEWLINE = 10;

/** As many lines as have room; the beginning of a first one that has none. */
function wholeLines(bytes: Uint8Array, bytesMax: number): Uint8Array {
  if (bytes.byteLength <= bytesMax) return bytes;
  const end = bytes.lastIndexOf(NEWLINE, bytesMax - 1) + 1;
  return bytes.subarray(0, end === 0 ? bytesMax : end);
}

const linesIn = (bytes: Uint8Array): number => bytes.reduce((lines, byte) => lines + Number(byte === NEWLINE), 0);

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
