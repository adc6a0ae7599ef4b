import {Command} from 'commander';
import {approvalCommands} from './approval-commands.ts';
import {attachCommand} from './attach-command.ts';
import {budgetCommands, costsCommand} from './budget-commands.ts';
import {charterCommands} from './charter-commands.ts';
import {configCommand} from './config-command.ts';
import {controlPlaneCommand} from './control-plane-command.ts';
import {demoCommand} from './demo-command.ts';
import {doctorCommand} from './doctor-command.ts';
import {downCommand, serviceLogsCommand, statusCommand} from './down-command.ts';
import {historyCommand} from './history-command.ts';
import {keysCommands} from './keys-commands.ts';
import {loginCommand} from './login-command.ts';
import {poolCommands} from './pool-commands.ts';
import {runnerCommands} from './runner-commands.ts';
import type {Surroundings} from './surroundings.ts';
import {taskCommands} from './task-commands.ts';
import {tokenCommands} from './token-commands.ts';
import {upCommand} from './up-command.ts';
import {versionCommand, versionOf} from './version-command.ts';

/** The whole command line. A wrong call ends in a `CommanderError`, which main.ts turns into exit code 2. */
export function program(world: Surroundings): Command {
  const {terminal} = world;
  const whole = new Command('switchyard')
    .description('A control plane for coding agents that run on your own machines.')
    .version(versionOf(world.repository), '-V, --version', 'output the version')
    .addHelpText(
      'after',
      '\nExamples:\n  $ switchyard up\n  $ switchyard task create "Fix the failing test" --repo . --wait\n  $ switchyard doctor',
    )
    .addCommand(upCommand(world))
    .addCommand(downCommand(world))
    .addCommand(statusCommand(world))
    .addCommand(serviceLogsCommand(world))
    .addCommand(demoCommand(world))
    .addCommand(taskCommands(world))
    .addCommand(historyCommand(world))
    .addCommand(approvalCommands(world))
    .addCommand(runnerCommands(world))
    .addCommand(attachCommand(world))
    .addCommand(poolCommands(world))
    .addCommand(budgetCommands(world))
    .addCommand(costsCommand(world))
    .addCommand(tokenCommands(world))
    .addCommand(keysCommands(world))
    .addCommand(charterCommands(world))
    .addCommand(doctorCommand(world))
    .addCommand(configCommand(world))
    .addCommand(loginCommand(world))
    .addCommand(versionCommand(world))
    .addCommand(controlPlaneCommand(world), {hidden: true});
  for (const command of everyCommand(whole))
    command
      .exitOverride()
      .showHelpAfterError('Add --help to see what it takes.')
      .configureOutput({
        writeOut: text => terminal.out(text.trimEnd()),
        writeErr: text => terminal.err(text.trimEnd()),
        getOutHelpWidth: () => terminal.columns ?? 100,
        getErrHelpWidth: () => terminal.columns ?? 100,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      });
  return whole;
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
