import {byteText} from '../policy/byte-size.ts';
import type {Entry} from '../policy/charter/rulebook.ts';
import type {Charter} from './charter.ts';

/**
 * What a charter says about whoever works under it, for the instructions of every agent. Null where it says nothing but
 * its name: what an agent may do is not a matter of what it is told.
 */
export function charterIntroduction(charter: Charter): string | null {
  const {name, role, tier, identity = {}, responsibilities, resourceLimits, measurableObjectives} = charter;
  const parts = [
    line('Role', role),
    line('Tier', tier),
    line('You act as', identity.name),
    line('Mail address', identity.email),
    line('About you', identity.description),
    list('Your responsibilities', responsibilities),
    list('You are measured by', measurableObjectives.map(objectiveText)),
    list('What never changes', charter.hardConstraints.map(entryText)),
    line('Memory that each piece of work may hold', resourceLimits.memory && byteText(resourceLimits.memory)),
  ].filter(part => part !== null);
  return parts.length === 0 ? null : [`# Charter of this machine: ${name}`, ...parts].join('\n\n');
}

function line(title: string, value: string | number | undefined): string | null {
  return value === undefined ? null : `${title}: ${value}`;
}

function list(title: string, values: readonly string[]): string | null {
  return values.length === 0 ? null : [`${title}:`, ...values.map(value => `- ${value}`)].join('\n');
}

function objectiveText(objective: Charter['measurableObjectives'][number]): string {
  if (typeof objective === 'string') return objective;
  return Object.entries(objective)
    .map(([key, value]) => `${key}: ${String(value)}`)
    .join(', ');
}

function entryText(entry: Entry): string {
  return typeof entry === 'string' ? entry : entry.reason === undefined ? entry.name : `${entry.name}: ${entry.reason}`;
}
