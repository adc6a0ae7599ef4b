import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {runCommand} from '../executor/command.ts';

/** A program of the operating system that keeps secrets. */
export type StoreProgram = {
  readonly program: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets the secrets of one installation apart from those of others. */
  readonly service: string;
};

export type StoreAnswer = {readonly code: number | null; readonly stdout: string; readonly said: string};

const OUTPUT_BYTES_MAX = 65_536;
const SAID_CHARACTERS_MAX = 200;

/**
 * Runs it once. A secret goes in by standard input and comes out by standard output; what the program says on standard
 * error is only repeated when it was given none.
 *
 * @throws SwitchyardError executor_unavailable when it cannot be started or does not answer in time: some ask a person
 * to unlock the store, and nobody may be there
 */
export async function askStore(
  {program, env}: StoreProgram,
  args: readonly string[],
  input?: string,
): Promise<StoreAnswer> {
  const options = {cwd: '/', env, timeoutMs: limits.keyStoreMs, outputBytesMax: OUTPUT_BYTES_MAX};
  const result = await runCommand([program, ...args], {...options, input: input ?? ''});
  if (result.endedBy !== 'itself')
    throw new SwitchyardError(
      'executor_unavailable',
      `${program} did not answer within ${limits.keyStoreMs / 1_000} s: is the keyring of this user unlocked?`,
    );
  const said = input === undefined ? (result.stderr.toString('utf8').trim().split('\n')[0] ?? '') : '';
  return {code: result.exitCode, stdout: result.stdout.toString('utf8'), said: said.slice(0, SAID_CHARACTERS_MAX)};
}

export function storeFailed({program}: StoreProgram, {code, said}: StoreAnswer): SwitchyardError {
  const why = said === '' ? '' : `: ${said}`;
  return new SwitchyardError('executor_unavailable', `${program} ended with ${code ?? 'a signal'}${why}`);
}
