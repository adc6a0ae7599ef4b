import type {UpFile} from '../services/up-file.ts';
import {agentsLine} from './first-task.ts';
import {ownCommand} from './own-command.ts';
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

/** The commands as a person can type them. */
export function nextSteps(
  {terminal: {paint}, env}: Pick<Surroundings, 'terminal' | 'env'>,
  {state}: Settings,
): readonly string[] {
  const own = ownCommand({env}, state);
  const steps = [
    [own('task create "say: hello" --wait'), 'a task of your own'],
    [own('task list'), 'what was asked for so far'],
    [own('doctor'), 'what this machine can run'],
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
