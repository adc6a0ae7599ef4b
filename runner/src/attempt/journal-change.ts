import type {JournalChange} from '../state/journal.ts';
import {attemptKey} from './attempt-state.ts';
import type {RunnerState} from './runner-state.ts';

/** What must be durable before the effects of a reduction leave, or `undefined` when nothing of it changed. */
export function journalChange(before: RunnerState, after: RunnerState): JournalChange | undefined {
  const save = [...after.attempts.values()].filter(each => before.attempts.get(attemptKey(each)) !== each);
  const remove = [...before.attempts.values()].filter(each => !after.attempts.has(attemptKey(each)));
  const epochs = before.maxEpochs === after.maxEpochs ? [] : spent(before.maxEpochs, after.maxEpochs);
  const forgetEpochs =
    before.maxEpochs === after.maxEpochs ? [] : [...before.maxEpochs.keys()].filter(task => !after.maxEpochs.has(task));
  const config = before.config === after.config || after.config === null ? undefined : after.config;
  if (save.length + remove.length + epochs.length + forgetEpochs.length === 0 && config === undefined) return undefined;
  return {save, remove, epochs, forgetEpochs, config};
}

function spent(
  before: RunnerState['maxEpochs'],
  after: RunnerState['maxEpochs'],
): readonly {readonly task: string; readonly epoch: number}[] {
  return [...after].flatMap(([task, epoch]) => (before.get(task) === epoch ? [] : [{task, epoch}]));
}
