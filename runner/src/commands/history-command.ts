import type {Command} from 'commander';
import {listHistory, type PastAttempt} from '@switchyard/shared/api/history-contracts.ts';
import {agentSchema} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {leaf, text} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {statesOf} from './task-list.ts';
import {oneOf, repositoryUrl} from './task-spec-options.ts';
import {duration, parseCount} from './units.ts';
import {taskId} from './watch-task.ts';

/** Reads the directory, which remembers an attempt for longer than the queue, and `task list`, remembers its task. */
export function historyCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'history',
      summary: 'list attempts that have ended, newest first, also those of tasks that are forgotten',
      examples: [
        'history',
        'history --states failed,dead,timed_out --repo .',
        'history --role reviewer --outcome pr.approved --limit 100',
        'history --task tsk_… --json | jq -r ".attempts[].log_bytes"',
      ],
      configure: command =>
        command
          .option('--states <list>', 'only attempts that led their task to one of these, separated by commas')
          .option('--repo <url-or-path>', 'only of this repository, as it was given to task create')
          .option('--role <type>', `only of this role: ${roles.join(', ')}`)
          .option('--outcome <event>', 'only with this event as the outcome of the role, such as pr.approved')
          .option('--task <task>', 'only the attempts of this task')
          .option('--limit <n>', 'rows', '20')
          .option('--cursor <text>', 'go on after this attempt: next of the list before'),
    },
    async (_, options) => {
      const query = queryOf(options, world.cwd);
      const page = await (await world.client(options)).call(listHistory, {query});
      const {terminal} = world;
      if (options.json === true) return terminal.out(JSON.stringify(page));
      if (page.attempts.length === 0) terminal.err('no attempt that has ended');
      else for (const line of historyLines(page.attempts, world.nowMs(), terminal)) terminal.out(line);
      if (page.next !== null) terminal.err(`older attempts: add --cursor ${page.next}`);
    },
  );
}

const roles = agentSchema.shape.type.unwrap().options;

function queryOf(options: Readonly<Record<string, unknown>>, cwd: string) {
  const [repo, role, task] = [text(options, 'repo'), text(options, 'role'), text(options, 'task')];
  const [outcome, cursor] = [text(options, 'outcome'), text(options, 'cursor')];
  const states = statesOf(text(options, 'states'), text(options, 'state'));
  return {
    limit: parseCount('--limit', text(options, 'limit') ?? '20', [1, limits.listLimitMax]),
    ...(states === undefined ? {} : {state: states}),
    ...(repo === undefined ? {} : {repository: repositoryUrl(repo, cwd)}),
    ...(role === undefined ? {} : {agent_type: oneOf('--role', role, roles)}),
    ...(outcome === undefined ? {} : {outcome}),
    ...(task === undefined ? {} : {task: taskId(task)}),
    ...(cursor === undefined ? {} : {cursor}),
  };
}

/** Attempts for a person: of a failure its code, of a success the outcome that the agent stated, if it stated one. */
export function historyLines(
  attempts: readonly PastAttempt[],
  nowMs: number,
  {columns}: {readonly columns: number | undefined},
): readonly string[] {
  const rows = attempts.map(attempt => [
    attempt.task,
    String(attempt.epoch),
    attempt.task_state,
    attempt.code ?? attempt.outcome?.event ?? attempt.end,
    duration(Math.max(0, nowMs - attempt.finished_ms)),
    attempt.title,
  ]);
  return table(['TASK', 'EPOCH', 'STATE', 'END', 'AGE', 'TITLE'], rows, columns);
}
