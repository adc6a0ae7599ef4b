import type {TaskEventView, TaskView} from '@switchyard/shared/api/task-view.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {followUpSpec} from '@switchyard/shared/domain/follow-up.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import type {Batch} from './batch.ts';
import {cancelTask} from './cancel.ts';
import type {Caller, LogAccess, Outcome, Submission, SubmittedTasks, TaskListQuery} from './fleet-rpc.ts';
import {endedTask, goOn} from './going-on.ts';
import {takeMessage, type Message} from './messages.ts';
import {outcomeOf, reading, writing, type Service} from './service.ts';
import {submit} from './submit.ts';
import {endOfAttempt} from './attempt-records.ts';
import {pageOfEvents, pageOfTasks} from './task-lists.ts';
import {taskById, type TaskRow} from './task-row.ts';
import {specOf} from './spec-row.ts';
import {positionOf, taskView, type Sight} from './views.ts';

/** The operations on tasks, as the Worker calls them. */

export function submitTasks(
  service: Service,
  caller: Caller,
  submission: Submission,
): Promise<Outcome<SubmittedTasks>> {
  const {core, commit, randomBytes} = service;
  return outcomeOf(async () =>
    commit.run(batch => {
      const {ids, created} = submit(batch, {caller, submission, randomBytes});
      return () => {
        const sight = core.sight();
        const [id = ''] = ids;
        const spec = created ? submission.specs[0] : undefined;
        const first = taskView(sight, found(rowOf(sight, id), id), spec ?? specOf(sight.sql, id));
        return {ids, first, created};
      };
    }),
  );
}

export function readTask(service: Service, caller: Caller, task: string): Promise<Outcome<TaskView>> {
  return reading(service, {caller, scope: 'read'}, sight => wholeView(sight, task));
}

export function readTaskByAlias(service: Service, caller: Caller, alias: string): Promise<Outcome<TaskView>> {
  return reading(service, {caller, scope: 'read'}, sight => {
    const [row] = sight.sql.all<{task: string}>('SELECT task FROM alias WHERE alias = ?', alias);
    return wholeView(sight, found(row, alias).task);
  });
}

export function listTasks(
  service: Service,
  caller: Caller,
  query: TaskListQuery,
): Promise<Outcome<{readonly tasks: readonly TaskView[]; readonly next: string | null}>> {
  return reading(service, {caller, scope: 'read'}, sight => {
    const {rows, next} = pageOfTasks(sight.sql, query);
    return {tasks: rows.map(({spec, row}) => taskView(sight, row, spec)), next};
  });
}

export function listEvents(
  service: Service,
  caller: Caller,
  query: {readonly task: TaskId; readonly after: number; readonly limit: number},
): Promise<Outcome<{readonly events: readonly TaskEventView[]; readonly next: number | null}>> {
  return reading(service, {caller, scope: 'read'}, sight => {
    found(rowOf(sight, query.task), query.task);
    return pageOfEvents(sight.sql, query);
  });
}

export function cancel(
  service: Service,
  caller: Caller,
  {task, reason, graceMs}: {readonly task: TaskId; readonly reason: string; readonly graceMs: number},
): Promise<Outcome<TaskView>> {
  return writing(service, {caller, scope: 'write'}, batch => {
    cancelTask(batch, found(batch.task(task), task), {reason, grace_ms: graceMs});
    return () => wholeView(service.core.sight(), task);
  });
}

/** A finished task never changes: its retry is a new task that names it. */
export function retry(service: Service, caller: Caller, task: TaskId): Promise<Outcome<TaskView>> {
  const {core, randomBytes} = service;
  return writing(service, {caller, scope: 'write'}, batch => {
    const row = found(batch.task(task), task);
    if (!isFinished(row.state)) throw new SwitchyardError('not_finished', `${task} is ${row.state}`);
    const spec = specOf(batch.context.sql, task);
    const {depends_on: _met, deadline_ms: _past, not_before_ms: _came, ...rest} = spec;
    const id = goOn(batch, row, {spec: {...rest, depends_on: []}, randomBytes});
    return () => wholeView(core.sight(), id);
  });
}

/** A finished task never changes: what is said to it goes to the task that goes on from it, which is made if need be. */
export function message(
  service: Service,
  caller: Caller,
  {task, ...said}: {readonly task: TaskId} & Message,
): Promise<Outcome<{readonly seq: number; readonly task: TaskId}>> {
  const {randomBytes} = service;
  return writing(service, {caller, scope: 'write'}, batch => {
    const row = found(batch.task(task), task);
    const target = isFinished(row.state) ? liveSuccessor(batch, task) : row;
    if (target !== undefined) {
      const seq = takeMessage(batch, target, said);
      return () => ({seq, task: target.id});
    }
    const spec = followUpSpec(endedTask(row, specOf(batch.context.sql, task)), said.text);
    const id = goOn(batch, row, {spec, randomBytes});
    return () => ({seq: 0, task: id});
  });
}

/** The newest task that goes on from an ended one, or repeats it, and has not ended itself. */
function liveSuccessor(batch: Batch, task: TaskId): TaskRow | undefined {
  batch.flush();
  const [row] = batch.context.sql.all<{id: string}>(
    `SELECT id FROM task INDEXED BY task_successor
     WHERE retried_from = ? AND finished_ms IS NULL ORDER BY id DESC LIMIT 1`,
    task,
  );
  return row === undefined ? undefined : batch.task(row.id);
}

export function logAccess(
  service: Service,
  caller: Caller,
  {task, live, epoch: asked}: {readonly task: TaskId; readonly live: boolean; readonly epoch?: number | undefined},
): Promise<Outcome<LogAccess>> {
  const access = (row: TaskRow): LogAccess => {
    const {id, state, epoch} = row;
    if (asked !== undefined && asked > epoch)
      throw new SwitchyardError('not_found', `the task has no attempt ${asked}`);
    const ended = asked === undefined ? null : endOfAttempt(service.core.parts.sql, row, asked);
    const isEmpty = isFinished(state) && epoch === 1 && row.result !== null && row.log_bytes === 0;
    return {task: id, state, epoch, ended, isEmpty};
  };
  if (!live) return reading(service, {caller, scope: 'read'}, sight => access(found(rowOf(sight, task), task)));
  return writing(service, {caller, scope: 'read'}, batch => {
    const row = found(batch.task(task), task);
    if (row.log_live === 0 && !isFinished(row.state)) watch(batch, row);
    return () => access(found(rowOf(service.core.sight(), task), task));
  });
}

function watch(batch: Batch, row: TaskRow): void {
  batch.change(row, {log_live: 1});
}

function rowOf({memory, sql}: Sight, task: string): TaskRow | undefined {
  return memory.live.get(task) ?? taskById(sql, task);
}

function wholeView(sight: Sight, task: string): TaskView {
  const row = found(rowOf(sight, task), task);
  return {...taskView(sight, row, specOf(sight.sql, task)), position: positionOf(sight.sql, row)};
}

function found<Value>(value: Value | undefined, id: string): Value {
  if (value === undefined) throw new SwitchyardError('not_found', `there is no task ${id}`);
  return value;
}
