import {parseCharter} from '@switchyard/shared/domain/charter.ts';
import {judge, type Judgement} from '@switchyard/shared/policy/charter/judge.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import {rulebookOf, type Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';

export const scene: Scene = {workspace: '/home/ada/w/repo', home: '/home/ada'};

/** The same place on a disk that holds nothing. */
export const bareDisk: Scene = {...scene, entries: () => [], tracked: () => []};

export function rulebook(lists: {
  readonly autoApprove?: readonly unknown[];
  readonly alwaysReject?: readonly unknown[];
  readonly escalate?: readonly unknown[];
}): Rulebook {
  return rulebookOf(parseCharter({name: 'test', safetyHeuristics: lists}).safetyHeuristics);
}

/** Approves as much as a charter can, so that whatever is not approved is held back by what it rejects. */
export const strict = rulebook({
  autoApprove: ['Read file operations', 'Run test suites', {tool: 'Bash', name: 'every command'}],
  alwaysReject: ['rm -rf /', 'Force push to main'],
  escalate: ['Production deployments'],
});

export function judgeCommand(book: Rulebook, command: string, at: Scene = scene): Judgement {
  return judge(book, {tool: 'Bash', input: {command}}, at);
}
