import {readFile} from 'node:fs/promises';
import type {Command} from 'commander';
import {
  cancelTask,
  createTask,
  getTask,
  getTaskLog,
  messageTask,
  retryTask,
} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {untilInterrupted} from './interrupt.ts';
import {flag, group, leaf, text, texts} from './leaf.ts';
import type {CommonOptions, ExitCode, Surroundings} from './surroundings.ts';
import {taskEventsCommand} from './task-events.ts';
import {ownCommand} from './own-command.ts';
import {stateOf, taskLines} from './task-lines.ts';
import {taskListCommand} from './task-list.ts';
import {taskSpecOf} from './task-spec-options.ts';
import {parseCount, parseDuration} from './units.ts';
import {outcomeLines, printLogSoFar, taskId, watchTask} from './watch-task.ts';
import {UsageError} from './usage-error.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;

export function taskCommands(world: Surroundings): Command {
  const {terminal} = world;
  return group('task', 'create tasks, watch them and steer them', [
    create(world),
    taskListCommand(world),
    leaf(
      {
        name: 'show <task>',
        summary: 'show one task',
        examples: ['task show tsk_…', 'task show tsk_… --json | jq .result'],
      },
      async ([id], options) => {
        const params = {task: taskId(id)};
        const task = await (await world.client(options)).call(getTask, {params});
        if (options.json === true) return terminal.out(JSON.stringify(task));
        for (const line of taskLines(task, terminal, world.nowMs())) terminal.out(line);
      },
    ),
    taskEventsCommand(world),
    logs(world),
    leaf(
      {
        name: 'cancel <task>',
        summary: 'cancel a task; its agent gets a soft stop first',
        examples: ['task cancel tsk_…', 'task cancel tsk_… --reason "wrong branch"'],
        configure: command =>
          command
            .option('--reason <text>', 'kept with the task')
            .option('--grace <time>', 'until its agent is killed, such as 30s'),
      },
      async ([id], options) => {
        const params = {task: taskId(id)};
        const reason = text(options, 'reason');
        const grace = text(options, 'grace');
        const graceMs = grace === undefined ? {} : {grace_ms: parseDuration('--grace', grace)};
        const client = await world.client(options);
        const body = {...graceMs, ...(reason === undefined ? {} : {reason})};
        show(world, options, await client.call(cancelTask, {params, body}));
      },
    ),
    leaf(
      {
        name: 'retry <task>',
        summary: 'queue a finished task again, as a new one',
        examples: ['task retry tsk_…', 'task retry tsk_… --json'],
      },
      async ([id], options) => {
        const params = {task: taskId(id)};
        const client = await world.client(options);
        show(world, options, await client.call(retryTask, {params}));
      },
    ),
    message(world),
  ]);
}

function message(world: Surroundings): Command {
  const {terminal} = world;
  return leaf(
    {
      name: 'message <task> [text...]',
      summary:
        'send a message to the agent, or go on from a task that has ended; without text it is read from standard input',
      examples: [
        'task message tsk_… "use the other database"',
        'task message tsk_… --interrupt "stop that, and run the tests first"',
        'task message tsk_… < notes.txt',
      ],
      configure: command =>
        command.option('--interrupt', 'the agent leaves what it is doing right now for the message'),
    },
    async ([id, ...words], options) => {
      const params = {task: taskId(id)};
      const client = await world.client(options);
      const said = words.length === 0 ? await world.readInput(limits.messageCharactersMax) : words.join(' ');
      if (said.trim() === '') throw new UsageError('the message is empty');
      const {seq, task} = await client.call(messageTask, {
        params,
        body: {text: said, ...(flag(options, 'interrupt') ? {interrupt: true} : {})},
      });
      if (options.json === true) return terminal.out(JSON.stringify({seq, task}));
      const other = task === params.task ? '' : ` of ${task}, which goes on from it`;
      terminal.out(
        seq === 0 ? `the task has ended: ${task} goes on from it` : `message ${seq} is kept for the agent${other}`,
      );
      if (seq === 0) return;
      const own = ownCommand(world, (await world.settings(options)).state);
      terminal.err(`  ${own(`task events ${task}`)}  says whether it was delivered, or refused`);
    },
  );
}

function create(world: Surroundings): Command {
  const configure = (command: Command): Command =>
    command
      .option('--file <path>', 'read the prompt from a file')
      .option('--title <text>', 'the first line of the prompt when absent')
      .option('--repo <url-or-path>', 'git repository: https, ssh or file URL, or a local path')
      .option('--base <branch>', 'branch to start from')
      .option('--against <branch>', 'branch that a review is to be merged into; the default branch when absent')
      .option('--rebase', 'put the work on the newest base before it is checked and pushed')
      .option('--agent <driver>', 'scripted, exec, claude, codex, gemini or opencode')
      .option('--model <name>', 'as the agent names it; its own choice when absent')
      .option('--role <type>', 'starter, coding, reviewer, deployer, verifier or auditor: its prompt, time and tools')
      .option('--as-is', 'the agent is told the prompt and nothing else, also with --role')
      .option('--brief <path>', 'JSON that the prompt of the role tells too: plan, review_feedback, focus_areas, url …')
      .option('--profile <name>', 'readonly, developer or full-access; that of the role when absent')
      .option('--turns <n>', 'the agent may ask its model so often')
      .option('--tokens <n>', 'the attempt may spend so many, such as 200k')
      .option('--cost <usd>', 'the attempt may spend so many dollars, such as 2.50')
      .option(
        '--command <program> [arguments]',
        'command of --agent exec, in one string; the prompt is its standard input',
      )
      .option('--models <providers>', 'of which the command gets addresses and a key: anthropic, openai, google')
      .option('--check <command>', 'must pass after the agent; repeatable', collect)
      .option('--priority <n>', '1 (first) to 5, high or normal')
      .option('--label <label>', 'the runner must have it; repeatable', collect)
      .option('--timeout <time>', 'for one attempt, such as 30m')
      .option('--memory <size>', 'all processes of the agent may hold so much, such as 4GB; its machine may allow less')
      .option('--wait', 'follow the log; exit 0 when it succeeds, else 1');
  return leaf(
    {
      name: 'create [prompt...]',
      summary: 'queue a task; the prompt is an argument, --file or standard input',
      examples: [
        'task create "Fix the failing test" --repo . --wait',
        'task create --file prompt.md --repo https://github.com/o/r --base main --check "npm test"',
        'task create "Look for what could leak a secret" --repo . --agent claude --role auditor --tokens 500k --wait',
        'task create --agent exec --command "my-agent --yes" --label os=linux --memory 4GB < prompt.md',
      ],
      configure,
    },
    async (words, options) => {
      const spec = taskSpecOf(
        await promptOf(world, words, options),
        {
          ...options,
          check: texts(options, 'check'),
          label: texts(options, 'label'),
          brief: await fileOf('--brief', text(options, 'brief')),
        },
        world,
      );
      const client = await world.client(options);
      const task = await client.call(createTask, {body: spec});
      if (!flag(options, 'wait')) return show(world, options, task);
      if (options.json !== true)
        world.terminal.err(`${task.id} is ${task.state}${task.waiting_for === null ? '' : `: ${task.waiting_for}`}`);
      return untilInterrupted(async signal => {
        const ended = await watchTask(task.id, {
          client,
          terminal: world.terminal,
          signal,
          isQuiet: options.json === true,
        });
        return finished(world, options, ended);
      });
    },
  );
}

function logs(world: Surroundings): Command {
  return leaf(
    {
      name: 'logs <task>',
      summary: 'print the log of a task',
      examples: ['task logs tsk_… -f', 'task logs tsk_… --from 4096 > rest.log', 'task logs tsk_… -f --raw | jq .'],
      configure: command =>
        command
          .option('-f, --follow', 'go on until the task has ended')
          .option('--from <offset>', 'first byte', '0')
          .option('--raw', 'bytes as they are, also on a terminal'),
    },
    async ([id], options) => {
      const task = taskId(id);
      const from = parseCount('--from', text(options, 'from') ?? '0', [0, 999_999_999]);
      const isJson = options.json === true;
      const client = await world.client(options);
      const watched = {client, terminal: world.terminal, from, isRaw: flag(options, 'raw')};
      if (flag(options, 'follow'))
        return untilInterrupted(async signal => {
          await watchTask(task, {...watched, signal, isJson});
        });
      if (!isJson) return printLogSoFar(task, watched);
      for (let at = from; ;) {
        const page = await client.call(getTaskLog, {params: {task}, query: {from: at}});
        world.terminal.out(JSON.stringify(page));
        if (page.to <= at || page.to >= page.length) return;
        at = page.to;
      }
    },
  );
}

/** What a file of an option holds; undefined without the option. */
async function fileOf<Path extends string | undefined>(option: string, path: Path): Promise<string | Path> {
  if (path === undefined) return path;
  return readFile(path, 'utf8').catch(() => Promise.reject(new UsageError(`${option} ${path} cannot be read`)));
}

async function promptOf(world: Surroundings, words: readonly string[], options: Options): Promise<string> {
  const file = text(options, 'file');
  if (file !== undefined && words.length > 0)
    throw new UsageError('give the prompt as an argument or as --file, not both');
  const prompt =
    file !== undefined
      ? await fileOf('--file', file)
      : words.length > 0
        ? words.join(' ')
        : await world.readInput(limits.promptCharactersMax);
  if (prompt.trim() === '')
    throw new UsageError('the prompt is empty: give it as an argument, as --file or on standard input');
  return prompt;
}

function show({terminal}: Surroundings, options: Options, task: TaskView): undefined {
  terminal.out(options.json === true ? JSON.stringify(task) : `${task.id}  ${stateOf(task)}`);
  if (options.json !== true && task.waiting_for !== null) terminal.err(`  waiting for: ${task.waiting_for}`);
}

export function finished({terminal}: Pick<Surroundings, 'terminal'>, options: Options, task: TaskView): ExitCode {
  if (options.json === true) terminal.out(JSON.stringify(task));
  else for (const line of outcomeLines(task, terminal)) terminal.err(line);
  return task.state === 'succeeded' ? 0 : 1;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
