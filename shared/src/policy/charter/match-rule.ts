import type {Act, Command} from './act.ts';
import type {Condition, Rule} from './condition.ts';
import type {GitAction, PushTarget} from './git-action.ts';
import {approvesPath, best, isInside, refusesPath, type Match} from './match-path.ts';
import type {Scene} from './place.ts';
import {textOf} from './shell-tree.ts';
import {isLauncher, isNeutral} from './wrapper.ts';

export type Sight = {readonly scene: Scene; readonly tool: string};

/** Whether a refusing rule is met by an act. Whatever is not seen may be everything that a rule is about. */
export function refuses({conditions}: Rule, act: Act, sight: Sight): Match {
  const met = best(conditions.map(condition => refusesOne(condition, act, sight)));
  return met === 'yes' && !act.isSure ? 'maybe' : met;
}

function refusesOne(condition: Condition, act: Act, sight: Sight): Match {
  if (condition.kind === 'tool') return refusesTool(condition, act, sight);
  if (act.kind === 'unseen') return refusesUnseen(condition, act.isSure);
  if (act.kind === 'connect' && condition.kind === 'network') return refusesHost(condition.hosts, act.host);
  if (isPathAct(act) && condition.kind === 'path') return refusesPath(condition, act, sight.scene);
  if (act.kind === 'git' && (condition.kind === 'git' || condition.kind === 'push'))
    return refusesGit(condition, act.action);
  const command = 'command' in act ? act.command : undefined;
  return command === undefined ? 'no' : refusesProgram(condition, command, namesOf(act, command));
}

const names = new WeakMap<Act, readonly string[]>();

/** What the program of an act is called, with and without a version; a file that an interpreter runs is a program too. */
function namesOf(act: Act, {program}: Command): readonly string[] {
  const known = names.get(act);
  if (known !== undefined) return known;
  const files = act.kind === 'run' ? (act.file?.paths ?? []) : [];
  const all = [
    program,
    program.replace(/-?\d[\d.]*$/, ''),
    ...files.map(path => path.slice(path.lastIndexOf('/') + 1)),
  ];
  const found = [...new Set(all)];
  names.set(act, found);
  return found;
}

/** It may be anything; what may be mere text raises no question. */
function refusesUnseen(condition: Condition, isSure: boolean): Match {
  if (!isSure) return 'no';
  return condition.kind === 'unseen' ? 'yes' : 'maybe';
}

function refusesProgram(condition: Condition, command: Command, called: readonly string[]): Match {
  if (condition.kind === 'command') {
    const [program = '', ...words] = condition.words;
    return called.some(name => isLike(program, name, true)) ? refusesWords(words, command) : 'no';
  }
  const programs = [...command.through, command.program];
  return yesIf(condition.kind === 'through' && programs.some(name => condition.programs.includes(name)));
}

function yesIf(isMet: boolean): Match {
  return isMet ? 'yes' : 'no';
}

type PathAct = Extract<Act, {kind: 'read' | 'write' | 'delete' | 'names'}>;

function isPathAct(act: Act): act is PathAct {
  return act.kind === 'read' || act.kind === 'write' || act.kind === 'delete' || act.kind === 'names';
}

function refusesTool({names, path}: Extract<Condition, {kind: 'tool'}>, act: Act, {scene, tool}: Sight): Match {
  if (!names.some(name => isLike(name, tool.toLowerCase(), true))) return 'no';
  if (path === undefined) return 'yes';
  if (act.kind === 'unseen') return 'maybe';
  if (!isPathAct(act)) return 'no';
  return refusesPath({kind: 'path', access: ['read', 'write', 'delete'], paths: path}, act, scene);
}

/** The words in their order, with anything between them; a word that nobody sees may be the one that is missing. */
function refusesWords(words: readonly string[], command: Command): Match {
  const wanted = words.filter(word => word !== '**');
  const verb = command.words.findIndex(({literal}) => !literal.startsWith('-'));
  let next = 0;
  let hasUnseen = false;
  for (const [index, word] of command.words.entries()) {
    const text = textOf(word);
    const pattern = wanted[next];
    if (text === undefined) hasUnseen = true;
    else if (pattern === undefined) continue;
    else if (isLike(pattern, text, true) || (index === verb && isShort(text, pattern, command.program))) next += 1;
  }
  if (next >= wanted.length) return 'yes';
  return hasUnseen ? 'maybe' : 'no';
}

/** npm takes the beginning of a command for the command. */
function isShort(text: string, pattern: string, program: string): boolean {
  return program === 'npm' && text.length > 1 && pattern.startsWith(text.toLowerCase());
}

function refusesTarget({isForced, to}: Extract<Condition, {kind: 'push'}>, target: PushTarget): Match {
  const force = isForced ? target.isForced : true;
  if (force === false) return 'no';
  const branch = target.branch;
  const isMeant =
    to === undefined ||
    (branch !== undefined && to.some(name => isLike(name, branch, true) || isLike(branch, name, true)));
  if (!isMeant && branch !== undefined) return 'no';
  return isMeant && force === true ? 'yes' : 'maybe';
}

function refusesGit(condition: Extract<Condition, {kind: 'git' | 'push'}>, action: GitAction): Match {
  if (condition.kind === 'push')
    return action.kind === 'push' ? best(action.targets.map(target => refusesTarget(condition, target))) : 'no';
  if (!condition.actions.some(name => name === action.kind)) return 'no';
  return 'isSure' in action && !action.isSure ? 'maybe' : 'yes';
}

function refusesHost(hosts: readonly string[], host: string | undefined): Match {
  if (hosts.includes('*')) return 'yes';
  if (host === undefined) return 'maybe';
  return yesIf(hosts.some(pattern => isLike(pattern, host, true)));
}

/** Whether an approving rule is met by an act: only when everything about it is seen. */
export function approves({conditions}: Rule, act: Act, sight: Sight): boolean {
  return act.isSure && act.kind !== 'unseen' && conditions.some(condition => approvesOne(condition, act, sight));
}

function approvesOne(condition: Condition, act: Act, sight: Sight): boolean {
  if (condition.kind === 'tool') return approvesTool(condition, act, sight);
  if (act.kind === 'connect') return condition.kind === 'network' && approvesHost(condition.hosts, act.host);
  if (isPathAct(act) && condition.kind === 'path') return approvesPath(condition, act, sight.scene);
  const command = 'command' in act ? act.command : undefined;
  if (command === undefined) return false;
  if (condition.kind === 'command') return approvesCommand(condition.words, command, sight.scene);
  return act.kind === 'git' && staysHere(act.action, command, sight.scene) && approvesGit(condition, act.action);
}

function approvesTool({names, path}: Extract<Condition, {kind: 'tool'}>, act: Act, {scene, tool}: Sight): boolean {
  const isMeant = path === undefined || (isPathAct(act) && isInside(act.place, path, scene));
  return isMeant && names.some(name => isLike(name, tool, false));
}

function approvesHost(hosts: readonly string[], host: string | undefined): boolean {
  return host !== undefined && hosts.some(name => isLike(name, host, false));
}

/** In the workspace and with its remotes. The words of a commit are a text, and lead nowhere. */
function staysHere({kind}: GitAction, command: Command, scene: Scene): boolean {
  const texts = command.words.map(textOf);
  const end = kind === 'commit' ? texts.findIndex(text => text === 'commit' || text === 'add') : texts.length;
  // A folder that git is told of may hold settings of its own, and those start programs.
  const isElsewhere = texts.some(text => /^(?:-C|--git-dir|--work-tree|--namespace|--bare)/.test(text ?? ''));
  return (
    !isElsewhere &&
    startsHere(command, scene) &&
    texts.slice(0, end).every(text => text !== undefined && !leadsAway(text))
  );
}

function approvesGit(condition: Condition, action: GitAction): boolean {
  if (condition.kind === 'git') return condition.actions.some(name => name === action.kind);
  return (
    condition.kind === 'push' &&
    action.kind === 'push' &&
    action.targets.every(target => approvesTarget(condition, target))
  );
}

const workspaceOnly = ['@workspace'];

/** The program that the name says, started in the workspace and by nothing that gives it more. */
function startsHere({isTrusted, place, through}: Command, scene: Scene): boolean {
  return isTrusted && through.every(isNeutral) && isInside(place, workspaceOnly, scene);
}

function approvesCommand(words: readonly string[], command: Command, scene: Scene): boolean {
  const {through} = command;
  const launcher = through.at(-1);
  const isLaunched = launcher !== undefined && launcher === words[0];
  const [program = '', ...patterns] = isLaunched ? words.slice(isLauncher(launcher, words[1]) ? 2 : 1) : words;
  const started = isLaunched ? {...command, through: through.slice(0, -1)} : command;
  return program === command.program && startsHere(started, scene) && hasWords(patterns, command);
}

function hasWords(patterns: readonly string[], command: Command): boolean {
  const texts = command.words.map(textOf);
  const isOpen = patterns.at(-1) === '**';
  const fixed = isOpen ? patterns.slice(0, -1) : patterns;
  return (
    (isOpen ? texts.length >= fixed.length : texts.length === fixed.length) &&
    texts.every(text => text !== undefined && !leadsAway(text)) &&
    fixed.every((pattern, index) => isLike(pattern, texts[index] ?? '', false))
  );
}

/** A word, or the value of an option, that names something outside of the folder where the program starts. */
function leadsAway(text: string): boolean {
  return /(?:^-[A-Za-z]|(?<![\w.*?@+%~/-]))[/~]|(?<!\.)\.\.(?![\w.])|:\/\//.test(text);
}

function approvesTarget({isForced, to}: Extract<Condition, {kind: 'push'}>, target: PushTarget): boolean {
  const {branch} = target;
  const isMild = isForced || target.isForced === false;
  return (
    isMild &&
    (to === undefined ||
      (branch !== undefined && !branch.includes('*') && to.some(name => isLike(name, branch, false))))
  );
}

const wildcards = new Map<string, RegExp>();
const wildcardsMax = 10_000;

/** `*` stands for any characters. */
function isLike(pattern: string, text: string, ignoresCase: boolean): boolean {
  if (!pattern.includes('*')) return ignoresCase ? pattern.toLowerCase() === text.toLowerCase() : pattern === text;
  const key = `${ignoresCase ? 'i' : ''}\n${pattern}`;
  const expression = wildcards.get(key) ?? wildcard(pattern, ignoresCase);
  // A star may also be one of the words of a command.
  if (wildcards.size >= wildcardsMax) wildcards.clear();
  wildcards.set(key, expression);
  return expression.test(text);
}

function wildcard(pattern: string, ignoresCase: boolean): RegExp {
  const source = pattern
    .split('*')
    .map(part => part.replaceAll(/[$()+.?[\\\]^{|}]/g, String.raw`\$&`))
    .join('.*');
  return new RegExp(`^${source}$`, ignoresCase ? 'isu' : 'su');
}
