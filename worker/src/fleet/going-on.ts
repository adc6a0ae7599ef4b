import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {EndedTask} from '@switchyard/shared/domain/follow-up.ts';
import type {RandomBytes, TaskId} from '@switchyard/shared/domain/id.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import type {Batch} from './batch.ts';
import {passOnPurses} from './purses.ts';
import {submit} from './submit.ts';
import {readFailures, readResult} from './task-columns.ts';
import type {TaskRow} from './task-row.ts';

/** What is left of a task that has ended for whoever goes on from it. */
export function endedTask({state, result: column, failures}: TaskRow, spec: TaskSpec): EndedTask {
  const result = readResult(column);
  const last = state === 'succeeded' ? undefined : readFailures(failures).at(-1);
  return {
    spec,
    branch: result?.git?.pushed === true ? result.git.branch : null,
    summary: result?.summary ?? null,
    outcome: result?.role?.outcome ?? null,
    failure: last === undefined ? null : `${last.code}: ${last.detail}`,
  };
}

type GoingOn = {readonly spec: TaskSpec; readonly randomBytes: RandomBytes};

/** A new task that names an ended one. That of a sub-task belongs to the same parent, while there is one. */
export function goOn(batch: Batch, {id: retriedFrom, parent}: TaskRow, {spec, randomBytes}: GoingOn): TaskId {
  const above = parent === null ? undefined : batch.task(parent);
  const owner = above === undefined || isFinished(above.state) ? {} : {parent: above.id};
  const submission = {specs: [spec], queue: true, retriedFrom, ...owner};
  const {ids} = submit(batch, {caller: {kind: 'root'}, submission, randomBytes});
  const [id] = ids;
  if (id === undefined) throw new SwitchyardError('internal', 'no task was made');
  if (owner.parent !== undefined) passOnPurses(batch, {from: retriedFrom, to: id});
  return id;
}
