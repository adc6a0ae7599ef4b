import {limitTable} from '@switchyard/shared/policy/limits.ts';
import {notice, table} from './markdown.ts';

const units = [
  {unit: 'ms', title: 'Times (milliseconds)'},
  {unit: 'bytes', title: 'Sizes (bytes)'},
  {unit: 'characters', title: 'Lengths (characters)'},
  {unit: 'count', title: 'Counts'},
] as const;

/** 1048576 reads as 1,048,576. */
const grouped = (value: number): string => value.toLocaleString('en-US');

export function limitPage(): string {
  const entries = Object.entries(limitTable);
  const sections = units.map(({unit, title}) => {
    const rows = entries
      .filter(([, limit]) => limit.unit === unit)
      .map(([name, {value, why}]) => [`\`${name}\``, grouped(value), why]);
    return `## ${title}\n\n${table(['Limit', 'Value', 'Why'], rows)}`;
  });
  return [
    notice('shared/src/policy/limits.ts'),
    '# Limits',
    'Everything that could grow or wait has a limit; each is stated once, with its unit and its reason.',
    ...sections,
  ].join('\n\n');
}
