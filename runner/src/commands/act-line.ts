import {textOf} from '@switchyard/shared/policy/charter/shell-tree.ts';
import type {Act, Command} from '@switchyard/shared/policy/charter/act.ts';
import type {GitAction} from '@switchyard/shared/policy/charter/git-action.ts';
import type {Place} from '@switchyard/shared/policy/charter/place.ts';
import {shellWord} from './shell-word.ts';

/** One thing that a call would do, for a person. */
export function actLine(act: Act): string {
  return `${act.isSure ? '' : 'perhaps '}${deedOf(act)}`;
}

function deedOf(act: Act): string {
  switch (act.kind) {
    case 'run':
      return `runs ${commandText(act.command)}`;
    case 'read':
    case 'write':
      return `${act.kind}s ${placeText(act.place)}${act.inside === undefined ? '' : ' with what lies in it'}`;
    case 'names':
      return `means ${placeText(act.place)}`;
    case 'delete':
      return `deletes ${placeText(act.place)}${act.isRecursive === false ? '' : ' with everything inside'}`;
    case 'git':
      return `git: ${actionText(act.action)}`;
    case 'connect':
      return `connects to ${act.host ?? 'a host that is not seen'}`;
    case 'unseen':
      return `is not understood: ${act.why}`;
    default:
      return 'does something that only a rule for the tool describes';
  }
}

function commandText({program, words, through}: Command): string {
  const text = [program, ...words.map(word => shownWord(textOf(word), word.source))].join(' ');
  return through.length === 0 ? text : `${text} (through ${through.join(', ')})`;
}

function shownWord(text: string | undefined, source: string): string {
  return text === undefined ? source : shellWord(text);
}

function placeText({paths, isKnown, isPattern, source}: Place): string {
  if (!isKnown) return `${source} (not known where)`;
  return `${paths.join(' or ')}${isPattern ? ` (${source})` : ''}`;
}

function actionText(action: GitAction): string {
  if (action.kind === 'other') return action.name;
  if (action.kind !== 'push') return action.kind;
  const targets = action.targets.map(
    ({branch, isForced}) =>
      `${branch ?? 'an unknown branch'}${isForced === false ? '' : isForced === true ? ' by force' : ' perhaps by force'}`,
  );
  return `push to ${targets.join(', ')}`;
}
