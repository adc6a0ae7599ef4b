import type {Command} from 'commander';
import {
  decideApproval,
  getApproval,
  listApprovals,
  type ApprovalView,
} from '@switchyard/shared/api/approval-contracts.ts';
import {approvalIdSchema, type ApprovalId} from '@switchyard/shared/domain/id.ts';
import {approvalStates} from '@switchyard/shared/machine/approval-machine.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {approvalLines, approvalTable} from './approval-lines.ts';
import {limitOptions, limitsOf} from './budget-options.ts';
import {group, leaf, text} from './leaf.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {taskId} from './watch-task.ts';
import {parseCount, parseDuration} from './units.ts';
import {UsageError} from './usage-error.ts';

export function approvalCommands(world: Surroundings): Command {
  return group('approvals', 'what waits for a person: see it and decide', [
    list(world),
    show(world),
    decision(world, 'approve', 'let the tool call run'),
    decision(world, 'reject', 'refuse the tool call, an answer or more of a budget; an agent is told the reason'),
    answer(world),
    grant(world),
  ]);
}

function list(world: Surroundings): Command {
  return leaf(
    {
      name: 'list',
      summary: 'list what waits for a person, newest first',
      aliases: ['ls'],
      examples: [
        'approvals list',
        'approvals list --states all --task tsk_…',
        'approvals list --json | jq -r ".approvals[].id"',
      ],
      configure: command =>
        command
          .option('--states <state>', `one of ${approvalStates.join(', ')}, or all`, 'open')
          .option('--task <task>', 'only of this task')
          .option('--limit <n>', 'rows', '20')
          .option('--cursor <text>', 'go on after this one: next of the list before'),
    },
    async (_, options) => {
      const limit = parseCount('--limit', text(options, 'limit') ?? '20', [1, limits.listLimitMax]);
      const task = text(options, 'task');
      const cursor = text(options, 'cursor');
      const query = {
        limit,
        ...stateOf(text(options, 'states') ?? 'open'),
        ...(task === undefined ? {} : {task: taskId(task)}),
        ...(cursor === undefined ? {} : {cursor}),
      };
      const page = await (await world.client(options)).call(listApprovals, {query});
      if (options.json === true) return world.terminal.out(JSON.stringify(page));
      const {terminal} = world;
      if (page.approvals.length === 0) terminal.err('nothing waits for a person');
      else for (const line of approvalTable(page.approvals, world.nowMs(), terminal.columns)) terminal.out(line);
      if (page.next !== null) terminal.err(`older ones: add --cursor ${page.next}`);
    },
  );
}

function stateOf(name: string): {readonly state?: ApprovalView['state']} {
  if (name === 'all') return {};
  const state = approvalStates.find(each => each === name);
  if (state === undefined)
    throw new UsageError(`--states: ${JSON.stringify(name)} is none of ${approvalStates.join(', ')}, all`);
  return {state};
}

function show(world: Surroundings): Command {
  return leaf(
    {
      name: 'show <approval>',
      summary: 'show what an agent asks, and how it was decided',
      examples: ['approvals show apr_…', 'approvals show apr_… --json | jq .input'],
    },
    async ([id], options) => {
      const params = {approval: approvalId(id)};
      print(world, options, await (await world.client(options)).call(getApproval, {params}));
    },
  );
}

function decision(world: Surroundings, name: 'approve' | 'reject', summary: string): Command {
  return leaf(
    {
      name: `${name} <approval>`,
      summary,
      ...(name === 'reject' ? {aliases: ['deny']} : {}),
      examples: [`approvals ${name} apr_…`, `approvals ${name} apr_… --reason "agreed with Ada"`],
      configure: command => command.option('--reason <text>', 'kept with the decision'),
    },
    async ([id], options) => {
      const params = {approval: approvalId(id)};
      const reason = text(options, 'reason');
      const body = {decision: name, ...(reason === undefined ? {} : {reason})};
      print(world, options, await (await world.client(options)).call(decideApproval, {params, body}));
    },
  );
}

function answer(world: Surroundings): Command {
  return leaf(
    {
      name: 'answer <approval> [text...]',
      summary: 'answer the question of an agent; without text it is read from standard input',
      examples: ['approvals answer apr_… "the second one"', 'approvals answer apr_… < answer.txt'],
    },
    async ([id, ...words], options) => {
      const params = {approval: approvalId(id)};
      const said = words.length === 0 ? await world.readInput(limits.messageCharactersMax) : words.join(' ');
      if (said.trim() === '') throw new UsageError('the answer is empty');
      const body = {decision: 'answer', text: said} as const;
      print(world, options, await (await world.client(options)).call(decideApproval, {params, body}));
    },
  );
}

function grant(world: Surroundings): Command {
  return leaf(
    {
      name: 'grant <approval>',
      summary: 'grant more of a budget that is spent: new limits of its period, for a while',
      examples: [
        'approvals grant apr_… --cost 50 --for 4h',
        'approvals grant apr_… --tokens 80M --for 24h --reason audit',
      ],
      configure: command =>
        limitOptions(command)
          .requiredOption('--for <time>', 'how long, such as 4h')
          .option('--reason <text>', 'kept with the decision'),
    },
    async ([id], options) => {
      const params = {approval: approvalId(id)};
      const reason = text(options, 'reason');
      const body = {
        decision: 'grant',
        for_ms: parseDuration('--for', text(options, 'for') ?? ''),
        ...limitsOf(options),
        ...(reason === undefined ? {} : {reason}),
      } as const;
      print(world, options, await (await world.client(options)).call(decideApproval, {params, body}));
    },
  );
}

function approvalId(given: string | undefined): ApprovalId {
  const parsed = approvalIdSchema.safeParse(given);
  if (!parsed.success)
    throw new UsageError(`${JSON.stringify(given ?? '')} is no id of an approval: expected apr_ and 26 characters`);
  return parsed.data;
}

function print({terminal}: Surroundings, options: CommonOptions, approval: ApprovalView): void {
  if (options.json === true) terminal.out(JSON.stringify(approval));
  else for (const line of approvalLines(approval)) terminal.out(line);
}
