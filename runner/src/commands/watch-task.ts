import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {getTask, getTaskLog} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {byteText} from '@switchyard/shared/policy/byte-size.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {jsonPrinter, logPrinter, mark} from './log-lines.ts';
import {roleLines} from './role-lines.ts';
import {shellWord} from './shell-word.ts';
import {rebaseLines} from './rebase-lines.ts';
import {oneLine} from './shown-text.ts';
import type {Terminal} from './terminal.ts';
import {duration} from './units.ts';
import {UsageError} from './usage-error.ts';

export type WatchOptions = {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly from?: number;
  readonly signal?: AbortSignal;
  /** The bytes as they came, also on a terminal. */
  readonly isRaw?: boolean;
  /** A line of JSON for each piece. */
  readonly isJson?: boolean;
  /** Prints nothing: the log is followed for its end. */
  readonly isQuiet?: boolean;
};

export function taskId(text: string | undefined): TaskView['id'] {
  const parsed = taskIdSchema.safeParse(text);
  if (!parsed.success)
    throw new UsageError(`${JSON.stringify(text ?? '')} is not the id of a task: tsk_ and 26 characters`);
  return parsed.data;
}

/** Prints the log until the task has ended, and answers the task as it is then. */
export async function watchTask(task: TaskView['id'], options: WatchOptions): Promise<TaskView> {
  const {client, terminal, from = 0, signal, isRaw = false, isJson = false, isQuiet = false} = options;
  const read = async (): Promise<TaskView> =>
    client.call(getTask, {params: {task}, ...(signal === undefined ? {} : {signal})});
  const {spec} = await read();
  const printer = isJson ? jsonPrinter(terminal, from) : logPrinter(terminal, isRaw, spec);
  const follow = {
    from,
    ...(signal === undefined ? {} : {signal}),
    onReconnect: ({detail}: Error & {readonly detail: string}, inMs: number) =>
      terminal.err(terminal.paint('dim', `${detail}; trying again in ${duration(inMs)}`)),
  };
  for await (const item of client.followLog(task, follow))
    if (item.kind === 'bytes' && !isQuiet) printer.push(item.bytes);
  printer.end();
  return read();
}

/** Prints what the log holds at this moment, to the byte: a page of JSON has text instead, which not every log is. */
export async function printLogSoFar(
  task: TaskView['id'],
  {client, terminal, from = 0, isRaw = false}: WatchOptions,
): Promise<void> {
  const {spec} = await client.call(getTask, {params: {task}});
  const {length} = await client.call(getTaskLog, {params: {task}, query: {from}});
  if (length <= from) return;
  const printer = logPrinter(terminal, isRaw, spec);
  for await (const item of client.followLog(task, {from})) {
    if (item.kind === 'end') break;
    printer.push(item.bytes.subarray(0, length - item.from));
    if (item.to >= length) break;
  }
  printer.end();
}

/** What came of a task, in a few lines; the command to look at it comes last, where the repository stays. */
export function outcomeLines(
  task: TaskView,
  {paint}: Pick<Terminal, 'paint'>,
  {isKept = true}: {readonly isKept?: boolean} = {},
): readonly string[] {
  const {id, state, failures, created_ms: createdMs, finished_ms: finishedMs} = task;
  const took = finishedMs === null ? '' : ` in ${duration(finishedMs - createdMs)}`;
  const isGood = state === 'succeeded';
  const last = isGood ? undefined : failures.at(-1);
  const why = last === undefined ? [] : [`  ${last.code}: ${oneLine(last.detail)}`, `  ${last.hint}`];
  const head = `${mark(isGood, paint)} ${paint('bold', state)}${took}  ${paint('dim', id)}`;
  const role = task.result?.role ? roleLines(task.result.role) : [];
  return [head, ...why, ...role, ...resultLines(task, isKept)];
}

function resultLines({result, spec}: TaskView, isKept: boolean): readonly string[] {
  if (result === null) return [];
  const log = `  log     ${byteText(result.log_bytes)}`;
  const {git} = result;
  if (git === null) return [log];
  const files = git.files_changed === 1 ? '1 file' : `${git.files_changed} files`;
  const change = `${files}, +${git.insertions} -${git.deletions}`;
  const lines = [
    `  branch  ${oneLine(git.branch)}`,
    `  commit  ${git.head_sha.slice(0, 12)} (${change})`,
    ...rebaseLines(git.rebase),
    log,
  ];
  const directory = isKept ? localDirectory(spec.repository?.url) : undefined;
  return directory === undefined
    ? lines
    : [...lines, `  look    git -C ${shellWord(directory)} show ${shellWord(git.branch)}`];
}

function localDirectory(url: string | undefined): string | undefined {
  const parsed = url === undefined ? null : URL.parse(url);
  if (parsed?.protocol !== 'file:') return undefined;
  try {
    return decodeURIComponent(parsed.pathname);
  } catch {
    return undefined; // what is not well encoded names no directory
  }
}
