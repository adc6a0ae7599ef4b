import {fenced} from './fence.ts';

/** An id or a reference as one word; whatever could be read as more is fenced instead. */
export function oneWord(text: string): string {
  return /^[\w.:@/#?=&%+~-]{1,500}$/.test(text) ? text : fenced('name', text);
}

/** A line of the prompt itself, nothing where there is no value. */
export function field(name: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [`${name}: ${oneWord(String(value))}`];
}

/** A text of somebody else under a title, nothing where there is none. */
export function data(name: string, title: string, text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : [`${title}:`, fenced(name, text)];
}
