import {readFile} from 'node:fs/promises';
import type {Readable} from 'node:stream';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {enrolThisMachine, readRunnerIdentity, type RunnerIdentity} from '../services/runner-identity.ts';

const tokenCharactersMax = 300;

export type TokenSource =
  | {readonly kind: 'environment'; readonly value: string | undefined; readonly name: string}
  | {readonly kind: 'file'; readonly path: string}
  | {readonly kind: 'stdin'; readonly stream: Readable};

/** Never from the command line, which every user of the machine can read. Throws `configuration_invalid`. */
export async function readEnrolmentToken(source: TokenSource): Promise<string> {
  const text = (await textOf(source)).trim();
  const from = source.kind === 'file' ? source.path : source.kind === 'stdin' ? 'standard input' : source.name;
  if (text === '') throw new SwitchyardError('configuration_invalid', `${from} holds no enrolment token`);
  if (text.length > tokenCharactersMax || /\s/.test(text))
    throw new SwitchyardError('configuration_invalid', `${from} does not hold an enrolment token and nothing else`);
  return text;
}

async function textOf(source: TokenSource): Promise<string> {
  if (source.kind === 'environment') return source.value ?? '';
  if (source.kind === 'file') {
    try {
      return await readFile(source.path, 'utf8');
    } catch (cause) {
      throw new SwitchyardError('configuration_invalid', `${source.path} cannot be read`, {cause});
    }
  }
  let text = '';
  for await (const chunk of source.stream) {
    text += String(chunk);
    if (text.length > tokenCharactersMax * 2) break;
  }
  return text;
}

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
