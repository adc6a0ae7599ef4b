import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';

const branchBytesMax = 200;

/** Git's own rules for `refs/heads/<name>`, git-check-ref-format(1). True when git accepts the name. */
export function isRefFormat(name: string): boolean {
  return (
    name.split('/').every(part => part !== '' && !part.startsWith('.') && !part.endsWith('.lock')) &&
    !/[ ~^:?*[\\]/.test(name) &&
    !Array.from(name).some(char => char < ' ' || char === '\u007f') &&
    !name.includes('..') &&
    !name.includes('@{') &&
    !name.endsWith('.')
  );
}

/** Why a name is not accepted as a branch, or undefined. Stricter than git: nothing that reads as an option, a sha or another ref. */
export function branchProblem(name: string): string | undefined {
  if (!isRefFormat(name)) return 'git does not accept it as a branch name';
  if (Buffer.byteLength(name) > branchBytesMax) return `it is longer than ${branchBytesMax} bytes`;
  if (name.split('/').some(part => part.startsWith('-'))) return 'a part begins with a dash';
  if (name === '@' || name.split('/').includes('HEAD')) return 'it is a name that git gives another meaning';
  if (name.startsWith('refs/')) return 'it begins with refs/; give the short name';
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(name)) return 'it reads as a commit id';
  if (/\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u.test(name)) return 'it holds an invisible character';
  return undefined;
}

/**
 * A task id that may be part of a ref and of a path, also where upper and lower case are the same to the file system.
 * The whole id is used, never a prefix of it, so that two tasks cannot be taken for one another.
 */
export function checkTaskId(task: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{0,99}$/.test(task)) {
    throw new SwitchyardError(
      'invalid_request',
      `The task id ${JSON.stringify(task.slice(0, 110))} cannot name a branch and a directory: use a-z, 0-9, _ and -.`,
    );
  }
  return task;
}

export function checkEpoch(epoch: number): number {
  if (!Number.isSafeInteger(epoch) || epoch < 1) {
    throw new SwitchyardError('invalid_request', `The epoch ${epoch} is not a positive integer.`);
  }
  return epoch;
}

/** The branch of one attempt, for parts that were checked. Throws `invalid_request`. */
export function branchOfAttempt(task: string, epoch: number): string {
  return attemptBranch(checkTaskId(task), checkEpoch(epoch));
}

/** True for a branch that `branchOfAttempt` could have made, and for nothing else. */
export function isAttemptBranch(name: string): boolean {
  return /^switchyard\/[a-z0-9][a-z0-9_-]{0,99}\/e[1-9]\d{0,14}$/.test(name);
}
