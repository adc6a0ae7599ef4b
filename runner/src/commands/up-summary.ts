import {delimiter} from 'node:path';
import {findProgram} from '../services/agent-clis.ts';
import type {UpFile} from '../services/up-file.ts';
import {agentsLine} from './first-task.ts';
import type {Settings} from './settings.ts';
import type {Surroundings} from './surroundings.ts';

export function summary(world: Surroundings, {layout}: Settings, file: UpFile): readonly string[] {
  const {paint} = world.terminal;
  const row = (name: string, value: string): string => `  ${paint('dim', name.padEnd(15))}${value}`;
  return [
    '',
    paint('bold', 'Switchyard is running'),
    '',
    row('control plane', `${paint('cyan', file.url)}  (embedded, no account needed)`),
    row('pool', `${file.team}/${file.pool}`),
    row('runner', `${file.runner}, ${file.slots} ${file.slots === 1 ? 'slot' : 'slots'}, connected`),
    row('agents', agentsLine(world)),
    row('state', layout.root),
    '',
  ];
}

/** The commands as a person can type them: with `npx` where the command is not on PATH, with the state that is meant. */
export function nextSteps(
  {terminal: {paint}, env}: Pick<Surroundings, 'terminal' | 'env'>,
  {state}: Settings,
): readonly string[] {
  const ownPath = (env['PATH'] ?? '')
    .split(delimiter)
    .filter(directory => !directory.includes('node_modules'))
    .join(delimiter);
  const name = findProgram('switchyard', ownPath) === undefined ? 'npx switchyard' : 'switchyard';
  const where = state.from === '--state' ? ` --state ${state.value}` : '';
  const steps = [
    [`${name} task create "say: hello" --wait${where}`, 'a task of your own'],
    [`${name} task list${where}`, 'what was asked for so far'],
    [`${name} doctor${where}`, 'what this machine can run'],
  ] as const;
  const width = Math.max(...steps.map(([command]) => command.length));
  return [
    '',
    paint('bold', 'Try next'),
    ...steps.map(([command, what]) => `  ${command.padEnd(width)}  ${paint('dim', what)}`),
    '',
    paint('dim', 'Ctrl-C stops everything; the state is kept.'),
  ];
}
