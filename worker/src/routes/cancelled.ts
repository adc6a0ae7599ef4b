import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';

/**
 * The task that somebody asked to cancel. Asking again is answered in the same way; a task that ended otherwise was not
 * cancelled, and saying so is the only way for the caller to know. Throws `already_finished`.
 */
export function cancelled(task: TaskView): TaskView {
  if (isFinished(task.state) && task.state !== 'cancelled')
    throw new SwitchyardError('already_finished', `the task has ended as ${task.state}`);
  return task;
}
