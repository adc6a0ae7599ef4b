import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {oneLine} from './shown-text.ts';

type ToldRole = NonNullable<NonNullable<TaskView['result']>['role']>;

const shortCharactersMax = 80;
const indentMax = 12;

/**
 * What an agent stated as the outcome of its role, for a person: its event, then each field under its name. The form
 * follows from the value alone, so that the outcomes of a later prompt are read too.
 */
export function roleLines({prompt, outcome}: ToldRole): readonly string[] {
  if (outcome === null) return [`  prompt  ${oneLine(prompt)}`];
  const {event, ...fields} = outcome;
  return [`  outcome ${oneLine(event)} (${oneLine(prompt)})`, ...fieldLines(fields, 4)];
}

function fieldLines(fields: object, indent: number): readonly string[] {
  return Object.entries(fields).flatMap(([name, value]: [string, unknown]) => {
    const title = words(name);
    const brief = briefly(value);
    return brief === undefined
      ? [`${' '.repeat(indent)}${title}:`, ...valueLines(value, indent + 2)]
      : [`${' '.repeat(indent)}${title}: ${brief}`];
  });
}

/** What fits behind its name: a short text, a number, an object of numbers such as the scores of a review. */
function briefly(value: unknown): string | undefined {
  if (typeof value === 'object' && value !== null) {
    const entries: readonly (readonly [string, unknown])[] = Array.isArray(value) ? [] : Object.entries(value);
    const isFlat = entries.length > 0 && entries.every(([, each]) => typeof each === 'number');
    return isFlat ? entries.map(([name, each]) => `${words(name)} ${String(each)}`).join(', ') : undefined;
  }
  const text = String(value);
  return text.length <= shortCharactersMax && !text.includes('\n') ? oneLine(text) : undefined;
}

function valueLines(value: unknown, indent: number): readonly string[] {
  const gap = ' '.repeat(Math.min(indent, indentMax));
  if (Array.isArray(value)) return value.flatMap((each: unknown) => entryLines(each, indent));
  if (typeof value === 'object' && value !== null) return fieldLines(value, Math.min(indent, indentMax));
  return String(value)
    .split('\n')
    .map(line => `${gap}${oneLine(line)}`);
}

/** An entry of a list: its short fields in one line, such as `high · bug · Sign-in fails`, the rest below it. */
function entryLines(entry: unknown, indent: number): readonly string[] {
  const gap = ' '.repeat(Math.min(indent, indentMax));
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    const [first = '', ...rest] = valueLines(entry, 0);
    return [`${gap}- ${first.trim()}`, ...rest.map(line => `${gap}  ${line.trim()}`)];
  }
  const heads: string[] = [];
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(entry)) {
    const brief = briefly(value);
    if (brief === undefined) rest[name] = value;
    else heads.push(brief);
  }
  return [`${gap}- ${heads.join(' · ')}`, ...fieldLines(rest, Math.min(indent + 2, indentMax))];
}

/** `testingStrategy` and `review_comments` as words. */
function words(name: string): string {
  return oneLine(name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').replaceAll('_', ' ')).toLowerCase();
}
