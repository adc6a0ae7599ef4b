import type {Surroundings} from './surroundings.ts';
import {UsageError} from './usage-error.ts';

const secretCharactersMax = 300;

/** From a pipe, or asked for: never from the command line, which every user of the machine can read. */
export async function secretInput(
  {askSecret, readInput}: Pick<Surroundings, 'askSecret' | 'readInput'>,
  question: string,
  what = 'token',
): Promise<string> {
  const secret = (await (askSecret(question) ?? readInput(secretCharactersMax))).trim();
  if (secret === '') throw new UsageError(`no ${what} came on standard input`);
  if (secret.length > secretCharactersMax || /\s/.test(secret))
    throw new UsageError(`what came is no ${what}: one has no spaces and ${secretCharactersMax} characters at most`);
  return secret;
}
