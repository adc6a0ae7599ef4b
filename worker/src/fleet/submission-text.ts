import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {Outcome, Submission, SubmittedTasks, SubmittedText} from './fleet-rpc.ts';

/**
 * A submission between Worker and Fleet as JSON text, both ways: to copy objects from isolate to isolate costs a POST a
 * seventh of its processor time, and the Worker passes the answer on as it is.
 */
export function submissionText(submission: Submission): string {
  return JSON.stringify(submission);
}

export function submissionFrom(text: string): Submission {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Worker wrote this text from a Submission
  return JSON.parse(text) as Submission;
}

export function submittedText(outcome: Outcome<SubmittedTasks>): Outcome<SubmittedText> {
  if (!outcome.ok) return outcome;
  const {ids, first, created} = outcome.value;
  return {ok: true, value: {ids, first: JSON.stringify(first), created}};
}

export function firstTask({first}: SubmittedText): TaskView {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Fleet wrote this text from a TaskView
  return JSON.parse(first) as TaskView;
}
