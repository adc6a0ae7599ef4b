import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {shownError} from './git.ts';
import type {Repository} from './repository-url.ts';

const noCredential = /could not read (?:Username|Password)|terminal prompts disabled/i;
const refusedCredential =
  /Authentication failed|HTTP Basic: Access denied|requested URL returned error: 40[13]|Permission denied \(publickey|Write access to repository not granted/i;

/** Why another machine did not do what git asked of it: it let nobody in, or it could not be reached. */
export function remoteFailure({id}: Repository, what: string, stderr: string): SwitchyardError {
  const said = shownError(stderr);
  if (noCredential.test(stderr))
    return new SwitchyardError(
      'repository_unauthorized',
      `${id} ${what}: this machine has no credential for it: ${said}`,
    );
  if (refusedCredential.test(stderr))
    return new SwitchyardError(
      'repository_unauthorized',
      `${id} ${what}: it refused the credential of this machine: ${said}`,
    );
  return new SwitchyardError('repository_unreachable', `${id} ${what}: ${said}`);
}
