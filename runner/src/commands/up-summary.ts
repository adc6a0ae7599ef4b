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

export function nextSteps({terminal: {paint}}: Surroundings): readonly string[] {
  return [
    '',
    paint('bold', 'Try next'),
    '  switchyard task create "say: hello" --wait        a task of your own',
    '  switchyard task list                              what was asked for so far',
    '  switchyard doctor                                 what this machine can run',
    '',
    paint('dim', 'Ctrl-C stops everything; the state is kept.'),
  ];
}
