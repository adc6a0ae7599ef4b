import type {Command} from 'commander';
import * as z from 'zod';
import {
  costGroups,
  deleteBudget,
  listBudgets,
  listCosts,
  overrideBudget,
  putBudget,
} from '@switchyard/shared/api/budget-contracts.ts';
import {sources} from '@switchyard/shared/policy/budget.ts';
import {budgetPeriods} from '@switchyard/shared/policy/budget-period.ts';
import {limitOptions, limitsOf} from './budget-options.ts';
import {budgetLines, costLines} from './budget-lines.ts';
import {group, leaf, text} from './leaf.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {oneOf, repositoryUrl} from './task-spec-options.ts';
import {parseCount, parseDuration} from './units.ts';
import {UsageError} from './usage-error.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;
type Wanted = z.input<NonNullable<typeof putBudget.body>>;

export function budgetCommands(world: Surroundings): Command {
  return group('budget', 'what agents may spend on models', [list(world), set(world), override(world), remove(world)]);
}

function list(world: Surroundings): Command {
  return leaf(
    {
      name: 'list',
      summary: 'list budgets with what was spent of them',
      aliases: ['ls'],
      examples: ['budget list', 'budget list --json | jq ".budgets[] | select(.blocks)"'],
    },
    async (_, options) => {
      const answer = await (await world.client(options)).call(listBudgets, {});
      show(world, options, answer, answer.budgets);
    },
  );
}

function set(world: Surroundings): Command {
  return leaf(
    {
      name: 'set <name>',
      summary: 'make or replace a budget; what was spent in its period counts',
      examples: [
        'budget set every-day --period day --cost 25',
        'budget set plan --period week --tokens 100M --source subscription --percent 80',
        'budget set reviews --period month --agent-type reviewer --cost 100 --tokens 50M',
      ],
      configure: command =>
        limitOptions(command)
          .requiredOption('--period <period>', `one of ${budgetPeriods.join(', ')}; days and weeks are those of UTC`)
          .option('--repo <url-or-path>', 'only for tasks of this repository, as it is given to task create')
          .option('--agent-type <type>', 'only for agents of this type')
          .option('--source <source>', `only for what is paid for by one of ${sources.join(', ')}`)
          .option('--percent <n>', 'this part of the limits, such as 80'),
    },
    async ([name = ''], options) => {
      const budget = newName(name);
      const body = {
        period: oneOf('--period', text(options, 'period') ?? '', budgetPeriods),
        ...scopeOf(options, world.cwd),
        ...shareOf(options),
        ...limitsOf(options),
      };
      const made = await (await world.client(options)).call(putBudget, {params: {budget}, body});
      show(world, options, made, [made]);
    },
  );
}

function newName(name: string): string {
  if (putBudget.params?.shape.budget.safeParse(name).success === true) return name;
  throw new UsageError(
    `${JSON.stringify(name)} is no name for a budget: 2 to 40 lower-case letters, digits and dashes, such as every-day`,
  );
}

function override(world: Surroundings): Command {
  return leaf(
    {
      name: 'override <name>',
      summary: 'set other limits for a while, so that what waits goes on',
      examples: [
        'budget override every-day --cost 50 --for 4h --why "release day"',
        'budget override reviews --tokens 80M --for 24h --why "the audit" --json',
      ],
      configure: command =>
        limitOptions(command)
          .requiredOption('--for <time>', 'how long, such as 4h')
          .requiredOption('--why <text>', 'the reason, for whoever looks later'),
    },
    async ([name = ''], options) => {
      const body = {
        for_ms: parseDuration('--for', text(options, 'for') ?? ''),
        why: text(options, 'why') ?? '',
        ...limitsOf(options),
      };
      const budget = await (await world.client(options)).call(overrideBudget, {params: {budget: name}, body});
      show(world, options, budget, [budget]);
    },
  );
}

function remove(world: Surroundings): Command {
  return leaf(
    {
      name: 'delete <name>',
      summary: 'remove a budget; what was spent stays in the costs',
      examples: ['budget delete every-day', 'budget delete every-day --json'],
    },
    async ([name = ''], options) => {
      const removed = await (await world.client(options)).call(deleteBudget, {params: {budget: name}});
      world.terminal.out(options.json === true ? JSON.stringify(removed) : `removed the budget ${removed.id}`);
    },
  );
}

export function costsCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'costs',
      summary: 'what agents spent on models',
      examples: ['costs --by day', 'costs --by task --from 2026-11-01 --to 2026-11-30 --json'],
      configure: command =>
        command
          .option('--by <group>', `one of ${costGroups.join(', ')}`, 'day')
          .option('--from <day>', 'first day in UTC; thirty days before the last when absent')
          .option('--to <day>', 'last day in UTC; today when absent'),
    },
    async (_, options) => {
      const [from, to] = [dayOf('--from', text(options, 'from')), dayOf('--to', text(options, 'to'))];
      const query = {
        by: oneOf('--by', text(options, 'by') ?? 'day', costGroups),
        ...(from === undefined ? {} : {from}),
        ...(to === undefined ? {} : {to}),
      };
      const costs = await (await world.client(options)).call(listCosts, {query});
      if (options.json === true) return world.terminal.out(JSON.stringify(costs));
      for (const line of costLines(costs, world.terminal)) world.terminal.out(line);
    },
  );
}

function dayOf(option: string, day: string | undefined): string | undefined {
  if (day === undefined || z.iso.date().safeParse(day).success) return day;
  throw new UsageError(`${option} is ${JSON.stringify(day)}, expected a day such as 2026-11-30`);
}

function show(
  {terminal, nowMs}: Surroundings,
  {json}: CommonOptions,
  answer: object,
  budgets: Parameters<typeof budgetLines>[0],
): void {
  if (json === true) return terminal.out(JSON.stringify(answer));
  if (budgets.length === 0) return terminal.err('no budget: agents may spend what their tasks allow');
  for (const line of budgetLines(budgets, nowMs(), terminal)) terminal.out(line);
}

function shareOf(options: Options): Pick<Wanted, 'share_percent'> {
  const percent = text(options, 'percent');
  return percent === undefined ? {} : {share_percent: parseCount('--percent', percent, [1, 100])};
}

function scopeOf(options: Options, cwd: string): Pick<Wanted, 'repository' | 'agent_type' | 'source'> {
  const [repository, type, source] = [text(options, 'repo'), text(options, 'agentType'), text(options, 'source')];
  const types = putBudget.body?.shape.agent_type.unwrap().options ?? [];
  return {
    ...(repository === undefined ? {} : {repository: repositoryUrl(repository, cwd)}),
    ...(source === undefined ? {} : {source: oneOf('--source', source, sources)}),
    ...(type === undefined ? {} : {agent_type: oneOf('--agent-type', type, types)}),
  };
}
