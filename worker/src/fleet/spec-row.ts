import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {one, type Sql} from './sql.ts';

export function specOf(sql: Sql, task: string): TaskSpec {
  const {spec} = one(sql.all<{spec: string}>('SELECT spec FROM task_spec WHERE task = ?', task));
  return specFrom(spec);
}

/** It was validated when it was submitted, and is read as it was then: a later schema must not lose an old task. */
export function specFrom(text: string): TaskSpec {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Fleet wrote this text from a TaskSpec
  return JSON.parse(text) as TaskSpec;
}
