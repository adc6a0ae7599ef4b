import {Command} from 'commander';
import type {CommonOptions, Outcome} from './surroundings.ts';
import {UsageError} from './usage-error.ts';

export type LeafSpec = {
  /** With its arguments: `show <task>`. */
  readonly name: string;
  readonly summary: string;
  /** Printed under the help, without the program's name; at least two. One that begins with `$ ` is a whole line of a shell. */
  readonly examples: readonly string[];
  readonly configure?: (command: Command) => Command;
  readonly aliases?: readonly string[];
  readonly isHidden?: boolean;
};

/** The arguments in order, then the options: the shape in which commander hands them over. */
export type Run = (args: readonly string[], options: CommonOptions & Readonly<Record<string, unknown>>) => Outcome;

/** One command with the options that all of them take. Sets the exit code of the process. */
export function leaf(
  {name, summary, examples, configure, aliases = [], isHidden = false}: LeafSpec,
  run: Run,
): Command {
  const [word = name, ...operands] = name.split(' ');
  const command = new Command(word)
    .summary(summary)
    .description(summary)
    .aliases([...aliases])
    .option('--json', 'print one line of JSON')
    .option('--state <dir>', 'state directory (SWITCHYARD_STATE, ~/.switchyard)')
    .option('--url <url>', 'control plane (SWITCHYARD_URL, or that of switchyard login)');
  for (const operand of operands) command.argument(operand);
  configure?.(command);
  if (!isHidden)
    command.addHelpText('after', `\nExamples:\n${examples.map(line => `  ${shellLine(line)}`).join('\n')}`);
  return command.action(async () => {
    refuseEmptyValues(command);
    const code = await run(command.args, command.opts());
    if (code !== undefined) process.exitCode = code;
  });
}

function shellLine(example: string): string {
  return example.startsWith('$ ') ? example : `$ switchyard ${example}`;
}

/** An empty value is a variable of a script that was not set: `--state ""` would stand for the folder that one is in. */
function refuseEmptyValues(command: Command): void {
  const empty = command.options.find(option => {
    const value: unknown = command.getOptionValue(option.attributeName());
    return value === '' || (Array.isArray(value) && value.includes(''));
  });
  if (empty !== undefined)
    throw new UsageError(`${empty.long ?? empty.flags} is empty: give it a value, or leave it out`);
}

/** A command that only holds others. */
export function group(name: string, summary: string, children: readonly Command[]): Command {
  const command = new Command(name).summary(summary).description(summary);
  for (const child of children) command.addCommand(child);
  return command;
}

/** The value of an option that was declared to take text. */
export function text(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of an option that may be given several times. */
export function texts(options: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function flag(options: Readonly<Record<string, unknown>>, name: string): boolean {
  return options[name] === true;
}
