import {CommanderError} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {oneLine} from './shown-text.ts';
import type {ExitCode} from './surroundings.ts';
import type {Terminal} from './terminal.ts';
import {UsageError} from './usage-error.ts';

export type FailureView = {
  readonly terminal: Terminal;
  readonly isJson: boolean;
  /** Adds the stack, for whoever looks for a mistake in this program. */
  readonly isDebug: boolean;
};

/** Says what went wrong and what to do next; answers the exit code. */
export function showFailure(error: unknown, {terminal, isJson, isDebug}: FailureView): ExitCode {
  // The parser has said it already to a person; help and version end this way too.
  if (error instanceof CommanderError && (error.exitCode === 0 || !isJson)) return error.exitCode === 0 ? 0 : 2;
  const {code, detail, hint} = describe(error);
  if (isJson) terminal.out(JSON.stringify({error: {code, detail, hint}}));
  else {
    terminal.err(`${terminal.paint('red', code)}: ${oneLine(detail)}`);
    if (hint !== '') terminal.err(`  ${hint}`);
  }
  if (isDebug && error instanceof Error) terminal.err(stackOf(error));
  return error instanceof UsageError || error instanceof CommanderError ? 2 : 1;
}

function describe(error: unknown): {code: string; detail: string; hint: string} {
  if (error instanceof SwitchyardError) return {code: error.code, detail: error.detail, hint: error.hint};
  if (error instanceof UsageError || error instanceof CommanderError)
    return {
      code: 'usage',
      detail: error.message.replace(/^error: /, ''),
      hint: 'Add --help to the command to see what it takes.',
    };
  const detail = error instanceof Error ? error.message : String(error);
  return {code: 'internal', detail, hint: 'Run it again with SWITCHYARD_DEBUG=1 to see where it happened.'};
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
