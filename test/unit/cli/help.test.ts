import {expect, test} from 'vitest';
import {silentProgram} from '../../fixtures/silent-program.ts';

type Command = typeof silentProgram;

function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({writeOut: text => parts.push(text)});
  command.outputHelp();
  return parts.join('');
}

function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function examplesOf(help: string): readonly string[] {
  return [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line = '']) => line);
}

/** The commands that a line of a shell calls: each `switchyard` with the words behind it. */
function callsOf(line: string): readonly (readonly string[])[] {
  const parts = line.split(/(?:^|[\s("'])switchyard /).slice(1);
  return parts.map(part => part.split(/[\s)"']+/));
}

function knows([word = '', ...rest]: readonly string[], command: Command = silentProgram): boolean {
  if (command.commands.length === 0) return true;
  const next = command.commands.find(each => each.name() === word || each.aliases().includes(word));
  return next !== undefined && knows(rest, next);
}

const shown = leaves(silentProgram).filter(command => command.name() !== 'control-plane');

test('[CL13] the commands are those of the documentation', () => {
  const path = (command: Command): string =>
    command.parent === null ? '' : `${path(command.parent)} ${command.name()}`;
  expect(shown.map(path).map(text => text.trim())).toEqual([
    'up',
    'down',
    'status',
    'logs',
    'demo',
    'task create',
    'task list',
    'task show',
    'task events',
    'task logs',
    'task cancel',
    'task retry',
    'task message',
    'history',
    'approvals list',
    'approvals show',
    'approvals approve',
    'approvals reject',
    'approvals answer',
    'approvals grant',
    'runner enrol',
    'runner token',
    'runner start',
    'runner status',
    'runner rotate-key',
    'runner drain',
    'runner resume',
    'runner revoke',
    'runner service install',
    'runner service uninstall',
    'runner service status',
    'attach',
    'pool show',
    'pool queues',
    'pool pause',
    'pool resume',
    'pool set',
    'pool create',
    'budget list',
    'budget set',
    'budget override',
    'budget delete',
    'costs',
    'token create',
    'token list',
    'token revoke',
    'keys set',
    'keys rotate',
    'keys list',
    'keys check',
    'keys delete',
    'keys move',
    'keys git set',
    'keys git list',
    'keys git delete',
    'keys generate',
    'charter lint',
    'charter explain',
    'charter which',
    'doctor',
    'config',
    'login',
    'version',
  ]);
});

test.for(shown.map(command => [command.name(), command] as const))(
  '[CL13] the help of %s says what it does, takes --json and has two examples or more',
  ([, command]) => {
    const help = helpOf(command);
    expect(help).toMatch(/^Usage: switchyard .+\n\n\S.+/);
    expect(help).toContain('--json');
    expect(examplesOf(help).length).toBeGreaterThanOrEqual(2);
  },
);

test.for(shown.flatMap(command => examplesOf(helpOf(command))))('[CL19] the example %s calls what there is', line => {
  const calls = callsOf(line);
  expect(calls.length).toBeGreaterThan(0);
  expect(calls.filter(call => !knows(call))).toEqual([]);
});

test('[CL13] an alias does what its command does: start and stop, as older daemons called them', () => {
  const aliases = Object.fromEntries(silentProgram.commands.map(command => [command.name(), command.aliases()]));
  expect(aliases).toMatchObject({up: ['start'], down: ['stop']});
});

test('[CL13] the control plane alone is for up, not for people', () => {
  expect(helpOf(silentProgram)).not.toContain('control-plane');
});
