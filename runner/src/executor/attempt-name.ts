import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** One execution of one task. Everything an attempt leaves on a machine carries both parts, so that it can be found. */
export type AttemptName = {readonly task: string; readonly epoch: number};

/** Environment variable that an agent and all its descendants inherit; its value is `attemptMark`. */
export const MARK_VARIABLE = 'SWITCHYARD_ATTEMPT';

const TASK = /^[A-Za-z0-9_-]{1,64}$/;
const MARK = /^([A-Za-z0-9_-]{1,64})\.e([1-9][0-9]{0,14})$/;
const LABEL = /^([A-Za-z0-9_-]{1,64})-e([1-9][0-9]{0,14})$/;

/** @throws SwitchyardError invalid_request for a name that could leave its folder or be read as another's */
export function checkAttemptName({task, epoch}: AttemptName): void {
  if (!TASK.test(task) || !Number.isSafeInteger(epoch) || epoch < 1 || epoch >= 1e15)
    throw new SwitchyardError(
      'invalid_request',
      `attempt ${JSON.stringify({task, epoch})}: expected a task id and an epoch from 1`,
    );
}

/** `<task>.e<epoch>`: the value of the environment marker. */
export function attemptMark({task, epoch}: AttemptName): string {
  return `${task}.e${epoch}`;
}

/** `<task>-e<epoch>`: the name of a cgroup, a tmux session and a directory (tmux allows no dot in a name). */
export function attemptLabel({task, epoch}: AttemptName): string {
  return `${task}-e${epoch}`;
}

export function parseAttemptMark(text: string): AttemptName | undefined {
  return named(MARK.exec(text));
}

export function parseAttemptLabel(text: string): AttemptName | undefined {
  return named(LABEL.exec(text));
}

function named(match: RegExpExecArray | null): AttemptName | undefined {
  const [, task, epoch] = match ?? [];
  return task === undefined || epoch === undefined ? undefined : {task, epoch: Number(epoch)};
}
