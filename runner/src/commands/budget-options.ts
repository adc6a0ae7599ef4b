import type {Command} from 'commander';
import type * as z from 'zod';
import type {putBudget} from '@switchyard/shared/api/budget-contracts.ts';
import {text} from './leaf.ts';
import {countOf, dollars} from './task-spec-options.ts';
import {UsageError} from './usage-error.ts';

type Wanted = z.input<NonNullable<typeof putBudget.body>>;

/** The options that state limits of a budget; one at least is wanted. */
export const limitOptions = (command: Command): Command =>
  command
    .option('--cost <usd>', 'dollars, such as 25 or 2.50')
    .option('--tokens <n>', 'tokens of every kind, such as 5M')
    .option('--turns <n>', 'answers of models');

export function limitsOf(
  options: Readonly<Record<string, unknown>>,
): Pick<Wanted, 'cost_usd_max' | 'tokens_max' | 'turns_max'> {
  const [cost, tokens, turns] = [text(options, 'cost'), text(options, 'tokens'), text(options, 'turns')];
  if (cost === undefined && tokens === undefined && turns === undefined)
    throw new UsageError('name a limit: --cost, --tokens or --turns');
  return {
    ...(cost === undefined ? {} : {cost_usd_max: dollars('--cost', cost)}),
    ...(tokens === undefined ? {} : {tokens_max: countOf('--tokens', tokens)}),
    ...(turns === undefined ? {} : {turns_max: countOf('--turns', turns)}),
  };
}
