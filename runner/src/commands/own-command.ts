import {delimiter} from 'node:path';
import {findProgram} from '../services/agent-clis.ts';
import type {Settings} from './settings.ts';
import {shellWord} from './shell-word.ts';
import type {Surroundings} from './surroundings.ts';

/**
 * Writes commands of this program as a person can type them: with `npx` where it is not on their PATH, with the state
 * directory that is meant. What npm puts on PATH for its scripts is not there for a person.
 */
export function ownCommand({env}: Pick<Surroundings, 'env'>, state?: Settings['state']): (command: string) => string {
  const ownPath = (env['PATH'] ?? '')
    .split(delimiter)
    .filter(directory => !directory.includes('node_modules'))
    .join(delimiter);
  const name = findProgram('switchyard', ownPath) === undefined ? 'npx switchyard' : 'switchyard';
  const where = state?.from === '--state' ? ` --state ${shellWord(state.value)}` : '';
  return command => `${name} ${command}${where}`;
}
