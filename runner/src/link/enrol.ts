import {apiClient} from '@switchyard/shared/api/client.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {enrolThisMachine, readRunnerIdentity, type RunnerIdentity} from '../services/runner-identity.ts';

/** The token and the key cross this line: it is https, or does not leave the machine. */
export function checkControlPlaneUrl(text: string, {allowInsecure = false}: {allowInsecure?: boolean} = {}): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new SwitchyardError('configuration_invalid', `${text} is not an http or https URL`);
  if (url.username !== '' || url.password !== '')
    throw new SwitchyardError('configuration_invalid', 'the URL of the control plane must not hold a credential');
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'http:' && !isHere && !allowInsecure)
    throw new SwitchyardError(
      'configuration_invalid',
      `${url.origin} is not https: secrets would cross the network openly`,
    );
  return url.origin;
}

export type EnrolOptions = {
  readonly url: string;
  readonly token: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly runnerDirectory: string;
  /** Gives up an identity that this directory holds already. */
  readonly replace?: boolean | undefined;
  readonly allowInsecure?: boolean | undefined;
};

/**
 * Enrols this machine with a one-use token and keeps its identity. Throws `configuration_invalid` when the directory
 * holds an identity, `enrolment_invalid` when the token is spent, old or unknown.
 */
export async function enrol(options: EnrolOptions): Promise<RunnerIdentity> {
  const {token, name, labels, runnerDirectory, replace = false, allowInsecure} = options;
  const url = checkControlPlaneUrl(options.url, {allowInsecure: allowInsecure ?? false});
  const known = await readRunnerIdentity(runnerDirectory);
  if (known !== undefined && !replace)
    throw new SwitchyardError(
      'configuration_invalid',
      `${runnerDirectory} holds the identity of ${known.runner} already: enrol with --replace to give it up`,
    );
  return enrolThisMachine({client: apiClient({url}), token, name, labels, runnerDirectory});
}
