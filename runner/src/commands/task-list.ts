import type {Command} from 'commander';
import {listTasks} from '@switchyard/shared/api/task-contracts.ts';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {taskStates, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {leaf, text} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {ageOf, stateOf} from './task-lines.ts';
import {repositoryUrl} from './task-spec-options.ts';
import {parseCount} from './units.ts';
import {UsageError} from './usage-error.ts';
import {taskId} from './watch-task.ts';

/** A page with a filter may be short: so many are read for one list. */
const pagesMax = 25;

export function taskListCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'list',
      summary: 'list tasks, newest first',
      aliases: ['ls'],
      examples: [
        'task list',
        'task list --states queued,leased --limit 100',
        'task list --repo . --states failed,dead,timed_out',
        'task list --parent tsk_…',
        'task list --json | jq -r ".tasks[].id"',
      ],
      configure: command =>
        command
          .option('--states <list>', 'only these, separated by commas')
          .option('--repo <url-or-path>', 'only of this repository, as it was given to task create')
          .option('--parent <task>', 'only what the agent of this task made')
          .option('--limit <n>', 'rows', '20')
          .option('--cursor <text>', 'go on after this task: next of the list before'),
    },
    async (_, options) => {
      const limit = parseCount('--limit', text(options, 'limit') ?? '20', [1, limits.listLimitMax]);
      const states = statesOf(text(options, 'states'), options.state);
      const repo = text(options, 'repo');
      const repository = repo === undefined ? undefined : repositoryUrl(repo, world.cwd);
      const [parent, after] = [text(options, 'parent'), text(options, 'cursor')];
      const filter = {limit, states, repository, ...(parent === undefined ? {} : {parent: taskId(parent)})};
      const cursor = after === undefined ? undefined : taskId(after);
      const page = await pageOf(await world.client(options), {...filter, cursor});
      if (options.json === true) return world.terminal.out(JSON.stringify(page));
      const {terminal} = world;
      const rows = page.tasks.map(task => [task.id, stateOf(task), ageOf(task, world.nowMs()), task.title]);
      if (rows.length === 0) terminal.err('no tasks');
      else for (const line of table(['TASK', 'STATE', 'AGE', 'TITLE'], rows, terminal.columns)) terminal.out(line);
      if (page.next !== null) terminal.err(`older tasks: add --cursor ${page.next}`);
    },
  );
}

/**
 * The states of `--states`. `--state` is the state directory everywhere: who means the state of tasks would get an empty
 * installation. Throws `UsageError`.
 */
export function statesOf(list: string | undefined, directory: string | undefined): string | undefined {
  const isState = (name: string): name is TaskState => taskStates.some(state => state === name);
  if (directory?.split(',').every(isState) === true)
    throw new UsageError(`--state is the state directory; tasks that are ${directory} are --states ${directory}`);
  const unknown = list?.split(',').find(name => !isState(name));
  if (unknown !== undefined)
    throw new UsageError(`--states: ${JSON.stringify(unknown)} is no state of a task: ${taskStates.join(', ')}`);
  return list;
}

type Filter = {
  readonly limit: number;
  readonly states: string | undefined;
  readonly repository: string | undefined;
  readonly parent?: TaskView['id'] | undefined;
  readonly cursor: string | undefined;
};

async function pageOf(
  client: ApiClient,
  {limit, states, repository, parent, cursor}: Filter,
): Promise<{readonly tasks: readonly TaskView[]; readonly next: string | null}> {
  const filter = {
    ...(states === undefined ? {} : {state: states}),
    ...(repository === undefined ? {} : {repository}),
    ...(parent === undefined ? {} : {parent}),
  };
  const tasks: TaskView[] = [];
  let next = cursor ?? null;
  for (let page = 0; page < pagesMax; page += 1) {
    const query = {...filter, limit: limit - tasks.length, ...(next === null ? {} : {cursor: next})};
    const answer = await client.call(listTasks, {query});
    tasks.push(...answer.tasks);
    ({next} = answer);
    if (next === null || tasks.length >= limit) break;
  }
  return {tasks, next};
}
