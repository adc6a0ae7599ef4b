import {execa} from 'execa';
import type {Credential, CredentialQuestion} from '../worktree/credential-pipe.ts';

/** A keychain may ask its owner to unlock it; nobody may be there. */
const ANSWER_MS_MAX = 30_000;

/**
 * What the git of the person who runs this machine would use: their credential helpers answer, by their own settings, as
 * they would at a prompt. Nothing is stored or erased there. Undefined where they have none.
 */
export async function ownGitLogin(
  {protocol, host, path}: CredentialQuestion,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Credential | undefined> {
  const asked = [
    ['protocol', protocol],
    ['host', host],
    ['path', path],
  ].map(([name, value]) => `${name}=${value}\n`);
  const theirs = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SWITCHYARD_')));
  const {exitCode, stdout} = await execa('git', ['credential', 'fill'], {
    // No repository lies there whose settings would count.
    cwd: '/',
    env: {...theirs, GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: '', SSH_ASKPASS: ''},
    extendEnv: false,
    input: `${asked.join('')}\n`,
    timeout: ANSWER_MS_MAX,
    reject: false,
  });
  const field = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1];
  const [username, password] = [field('username'), field('password')];
  return exitCode !== 0 || username === undefined || password === undefined ? undefined : {username, password};
}
