import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {isDiskFull} from './disk-full.ts';
import {errnoOf} from './errno.ts';

/** ENOENT: a file system that takes no new directory says so, where its parent is there. */
const isForbidden = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT']);

/** What the file system says when it refuses a path of the state: the path and what a person can do about it. */
export function stateRefusal(path: string, cause: unknown): SwitchyardError {
  if (cause instanceof SwitchyardError) return cause;
  const errno = errnoOf(cause) ?? 'unknown';
  if (isDiskFull(cause))
    return new SwitchyardError('disk_full', `${path} cannot be written: the disk is full`, {cause});
  if (isForbidden.has(errno))
    return new SwitchyardError(
      'configuration_invalid',
      `${path} is closed to this user (${errno}): give it to whoever runs switchyard, or choose another directory with --state`,
      {cause},
    );
  return new SwitchyardError('state_corrupt', `${path} cannot be used (${errno}): move away what lies there`, {cause});
}
