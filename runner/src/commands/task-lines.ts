import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import {resourceLine} from './resource-line.ts';
import {oneLine} from './shown-text.ts';
import type {Terminal} from './terminal.ts';
import {duration} from './units.ts';
import {outcomeLines} from './watch-task.ts';

export function stateOf({state, phase}: Pick<TaskView, 'state' | 'phase'>): string {
  return phase === null || isFinished(state) ? state : `${state}/${phase}`;
}

export function ageOf({created_ms: createdMs}: Pick<TaskView, 'created_ms'>, nowMs: number): string {
  return duration(Math.max(0, nowMs - createdMs));
}

/** One task for a person: how it ended, or where it is and what it waits for; then every attempt that failed. */
export function taskLines(task: TaskView, terminal: Pick<Terminal, 'paint'>, nowMs: number): readonly string[] {
  const {title, failures} = task;
  if (!isFinished(task.state))
    return [oneLine(title), ...parentLine(task), ...waitingLines(task, nowMs), ...failureLines(failures)];
  // The last failure is part of how it ended.
  const earlier = task.state === 'succeeded' ? failures : failures.slice(0, -1);
  const used = resourceLine(task.resources);
  const usedLines = used === null ? [] : [`  used    ${used}`];
  return [oneLine(title), ...parentLine(task), ...outcomeLines(task, terminal), ...usedLines, ...failureLines(earlier)];
}

/** A part of the work of another task. */
function parentLine({parent}: TaskView): readonly string[] {
  return parent === null ? [] : [`  part of ${parent}`];
}

function waitingLines(task: TaskView, nowMs: number): readonly string[] {
  const rows: readonly (readonly [string, string | number | null])[] = [
    ['task', task.id],
    ['state', stateOf(task)],
    ['age', ageOf(task, nowMs)],
    ['attempt', task.epoch === 0 ? null : task.epoch],
    ['runner', task.runner],
    ['branch', task.branch],
    ['place', task.position === null ? null : `${task.position} in the queue`],
    ['waits for', task.waiting_for],
    ['uses', resourceLine(task.resources)],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [`  ${name.padEnd(11)}${oneLine(String(value))}`]));
}

function failureLines(failures: TaskView['failures']): readonly string[] {
  return failures.flatMap(({epoch, code, detail, hint}) => [
    `  attempt ${epoch} failed with ${code}: ${oneLine(detail)}`,
    `    ${hint}`,
  ]);
}
