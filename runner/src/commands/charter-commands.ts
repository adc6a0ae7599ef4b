import {resolve} from 'node:path';
import type {Command} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import {judge, type Decision} from '@switchyard/shared/policy/charter/judge.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import {lint, rulebookOf, type Finding} from '@switchyard/shared/policy/charter/rulebook.ts';
import {readCharterFile} from '../agent/charter-file.ts';
import {findCharter, limitsHere} from '../agent/machine-charter.ts';
import {limitLine, type HeldLimit} from '../agent/machine-limits.ts';
import {diskOfAgents} from '../agent/nearest-real-path.ts';
import {actLine} from './act-line.ts';
import {group, leaf, text} from './leaf.ts';
import {shellWord} from './shell-word.ts';
import type {Surroundings} from './surroundings.ts';
import type {Colour} from './terminal.ts';
import {UsageError} from './usage-error.ts';

type World = Pick<Surroundings, 'terminal' | 'cwd' | 'home' | 'settings'>;

export function charterCommands(world: World): Command {
  return group('charter', 'what agents may do on their own, as a person wrote it down', [
    lintCommand(world),
    explainCommand(world),
    whichCommand(world),
  ]);
}

function lintCommand({terminal, cwd}: World): Command {
  return leaf(
    {
      name: 'lint <file>',
      summary: 'name every entry that no rule understands; exit code 1 when a refusal is among them',
      examples: ['charter lint orchestrator-charter.yaml', 'charter lint charter.yaml --json'],
    },
    async ([file = ''], {json}) => {
      const {name, safetyHeuristics, hardConstraints} = await readCharterFile(resolve(cwd, file));
      const findings = lint(safetyHeuristics, hardConstraints);
      const code = findings.some(({severity}) => severity === 'error') ? 1 : 0;
      if (json === true) terminal.out(JSON.stringify({name, valid: code === 0, findings}));
      else {
        for (const line of findings.flatMap(findingLines)) terminal.out(line);
        if (findings.length === 0) terminal.out(`${name}: every entry is understood`);
      }
      return code;
    },
  );
}

function findingLines({severity, list, entry, nearest}: Finding): readonly string[] {
  const told = list === 'hardConstraints' ? 'agents are told it, and nothing enforces it' : 'it approves nothing';
  const effect = severity === 'error' ? 'it protects nobody' : told;
  return [
    `${severity}: ${list}: no rule understands "${entry}": ${effect}`,
    `  the nearest: ${nearest.map(says => `"${says}"`).join(', ')}`,
  ];
}

const colours: Readonly<Record<Decision, Colour>> = {
  reject: 'red',
  escalate: 'yellow',
  approve: 'green',
  'ask-default': 'cyan',
};

function explainCommand(world: World): Command {
  const {terminal, cwd} = world;
  return leaf(
    {
      name: 'explain <file> [command...]',
      summary: 'say what a charter decides about a call, by which entry and why; exit code 1 when it rejects',
      examples: [
        'charter explain charter.yaml -- git push --force origin main',
        "charter explain charter.yaml -- 'cd build && rm -rf *'",
        'charter explain charter.yaml --tool Write --input \'{"file_path": ".github/workflows/ci.yml"}\'',
      ],
      configure: command =>
        command
          .option('--tool <name>', 'the tool that is called, Bash when a command is given')
          .option('--input <json>', 'the input of the tool, as JSON')
          .option('--workspace <dir>', 'the folder that the agent works in, this one when not given')
          .option('--branch <name>', 'the branch that is checked out'),
    },
    async ([file = '', ...words], options) => {
      const call = callOf(words, options);
      const {safetyHeuristics, hardConstraints} = await readCharterFile(resolve(cwd, file));
      const book = rulebookOf(safetyHeuristics, hardConstraints);
      const {decision, rule, reason, parsed} = judge(book, call, sceneOf(world, options));
      if (options.json === true) terminal.out(JSON.stringify({decision, rule: rule ?? null, reason, parsed}));
      else {
        terminal.out(`${terminal.paint(colours[decision], decision)}: ${reason}`);
        for (const act of parsed) terminal.out(`  ${actLine(act)}`);
      }
      return decision === 'reject' ? 1 : 0;
    },
  );
}

function whichCommand({terminal, home, settings}: World): Command {
  return leaf(
    {
      name: 'which',
      summary:
        'the charter that a runner of this machine starts with, and what holds its limits; exit code 1 when none',
      examples: ['charter which', 'charter explain "$(switchyard charter which)" -- git push --force'],
    },
    async (_, options) => {
      const {layout} = await settings(options);
      const place = {stateDirectory: layout.runnerDirectory, home};
      const found = findCharter(place);
      const held = await heldOrFault(place);
      if (options.json === true) terminal.out(JSON.stringify(found && {...found, ...held}));
      else if (found === null) terminal.err('there is none: the profile of a task alone decides what its agent may do');
      else {
        terminal.out(found.path);
        if (found.passedOver !== null) terminal.err(`${found.passedOver} is there as well and is not read`);
        for (const line of 'fault' in held ? [held.fault] : held.limits.map(limitLine)) terminal.err(line);
      }
      return found === null ? 1 : 0;
    },
  );
}

/** What holds, or what keeps a runner from starting. */
async function heldOrFault(
  place: Parameters<typeof limitsHere>[0],
): Promise<{readonly limits: readonly HeldLimit[]} | {readonly fault: string}> {
  try {
    return {limits: await limitsHere(place)};
  } catch (error) {
    if (error instanceof SwitchyardError) return {fault: error.detail};
    throw error;
  }
}

/** One word is a command line, several are a program with its words. */
function callOf(words: readonly string[], options: Readonly<Record<string, unknown>>): ToolCall {
  const tool = text(options, 'tool');
  const input = text(options, 'input');
  if (words.length > 0 && input === undefined) {
    const [line = ''] = words;
    return {tool: tool ?? 'Bash', input: {command: words.length === 1 ? line : words.map(shellWord).join(' ')}};
  }
  if (words.length > 0 || tool === undefined || input === undefined)
    throw new UsageError('give a command behind --, or a tool with --tool and --input');
  return {tool, input: inputOf(input)};
}

function inputOf(json: string): ToolCall['input'] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new UsageError('--input is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError('--input is no object');
  return {...value};
}

function sceneOf({cwd, home}: World, options: Readonly<Record<string, unknown>>): Scene {
  const workspace = resolve(cwd, text(options, 'workspace') ?? '.');
  return {workspace, home, branch: text(options, 'branch'), ...diskOfAgents};
}
