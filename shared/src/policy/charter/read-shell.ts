import {unseen, type Act} from './act.ts';
import {limits} from '../limits.ts';
import {namedPlaces} from './named-places.ts';
import {placeOf, type Scene} from './place.ts';
import {isSecretVariable} from './environment-rules.ts';
import {readVariable} from './program-acts.ts';
import {readProgram} from './read-program.ts';
import type {Reader} from './reader.ts';
import {parseShell} from './shell-parser.ts';
import {
  plainWord,
  textOf,
  type Assignment,
  type Redirect,
  type ShellNode,
  type SimpleCommand,
  type Word,
} from './shell-tree.ts';

/** How deeply a command may hide in the words of unknown programs. */
const guessesMax = 3;
/** A command that may run in more folders than this may run anywhere. */
const foldersMax = 16;

/** What a command line would do. Whatever cannot be said is an act of its own. */
export function readShell(text: string, scene: Scene): readonly Act[] {
  if (text.length > limits.shellCommandCharactersMax) return [unseen('the command is too long')];
  // Whoever gives the variable another value means another folder.
  const changesHome = /(?<![$\w{])HOME(?!\w)/.test(text);
  const home = changesHome || scene.home === undefined ? [] : [['HOME', scene.home] as const];
  return readScript(text, {
    scene,
    variables: new Map(home),
    folders: [scene.cwd ?? scene.workspace],
    through: [],
    input: undefined,
    levelsLeft: limits.shellNestingMax,
    guessesLeft: guessesMax,
    budget: {left: limits.shellPartsMax},
    isLoop: false,
    isValue: false,
    isNamed: false,
    readScript,
    readWords,
  });
}

/** The same for a text inside of another command. */
function readScript(text: string, reader: Reader): readonly Act[] {
  if (reader.levelsLeft === 0) return [unseen('the command is nested too deeply')];
  const {nodes, problem} = parseShell(text, reader.variables);
  const inner = {...reader, levelsLeft: reader.levelsLeft - 1};
  const acts = readNodes(nodes, inner);
  reader.folders = inner.folders;
  return problem === undefined ? acts : [...acts, unseen(problem)];
}

function readNodes(nodes: readonly ShellNode[], reader: Reader): readonly Act[] {
  const acts: Act[] = [];
  for (const node of nodes) {
    reader.budget.left -= 1;
    if (reader.budget.left < 0) return [...acts, unseen('the command has too many parts')];
    acts.push(...readNode(node, reader));
  }
  return acts;
}

function readNode(node: ShellNode, reader: Reader): readonly Act[] {
  if (node.kind === 'command') return readSimple(node, reader);
  const inner = {...reader, isLoop: reader.isLoop || node.isLoop};
  // The second turn of a loop begins in the folder where the first one ended.
  if (node.isLoop) readNodes(node.nodes, inner);
  const acts = readNodes(node.nodes, inner);
  reader.folders = inner.folders;
  return [...acts, ...readRedirects(node.redirects, reader)];
}

function readSimple({assignments, words, redirects}: SimpleCommand, reader: Reader): readonly Act[] {
  const made = [...words, ...assignments.map(({value}) => value)].flatMap(({scripts}) => scripts);
  const bodies = redirects.flatMap(({body}) => (body === undefined ? [] : [textOf(body)]));
  const command = {...reader, input: bodies.at(-1)};
  const acts = [
    ...readValues(made, reader),
    ...readRedirects(redirects, reader),
    ...readAssignments(assignments, words.length > 0),
    ...readSecrets([...words, ...assignments.map(({value}) => value)], reader),
    ...namedPlaces(
      assignments.map(({value}) => value),
      reader,
    ),
    ...(words.length === 0 ? [] : readWords(words, command)),
  ];
  reader.folders = command.folders;
  return acts;
}

function readValues(nodes: readonly ShellNode[], reader: Reader): readonly Act[] {
  const inner = {...reader, isValue: true};
  const acts = readNodes(nodes, inner);
  reader.folders = inner.folders;
  return acts;
}

/** One program with its words, as if the shell had started it. */
function readWords(words: readonly Word[], reader: Reader): readonly Act[] {
  reader.budget.left -= 1;
  if (reader.levelsLeft === 0 || reader.budget.left < 0) return [unseen('the command is nested too deeply')];
  const inner = {...reader, levelsLeft: reader.levelsLeft - 1};
  const acts = readProgram(words, inner);
  reader.folders = inner.folders.length > foldersMax ? [undefined] : inner.folders;
  return acts;
}

/** Without a command a variable only holds a text, unless it is one that decides what runs. */
function readAssignments(assignments: readonly Assignment[], hasCommand: boolean): readonly Act[] {
  return assignments.flatMap(({name}) => readVariable(name)).filter(({kind}) => hasCommand || kind !== 'other');
}

/** The environment is a file that has its own place. */
function readSecrets(words: readonly Word[], {folders, scene}: Reader): readonly Act[] {
  if (!words.some(({variables}) => variables.some(isSecretVariable))) return [];
  return [{kind: 'read', place: placeOf(plainWord('/proc/self/environ'), folders, scene), isSure: false}];
}

const nowhere = /^\/dev\/(?:null|stdout|stderr|stdin|tty|fd\/\d+)$/;

function readRedirects(redirects: readonly Redirect[], reader: Reader): readonly Act[] {
  return redirects.flatMap(redirect => readRedirect(redirect, reader));
}

function readRedirect({operator, target, body}: Redirect, reader: Reader): readonly Act[] {
  const made = readNodes(body === undefined || body === target ? target.scripts : body.scripts, reader);
  return operator.startsWith('<<') ? made : [...made, ...readTarget(operator, target, reader)];
}

function readTarget(operator: string, target: Word, {folders, scene}: Reader): readonly Act[] {
  const text = textOf(target) ?? '';
  const isCopy = /^[<>]&$/.test(operator) && /^(?:\d+-?|-)$/.test(text);
  if (isCopy || nowhere.test(text)) return [];
  const host = /^\/dev\/(?:tcp|udp)\/(?<host>[^/]*)/.exec(target.literal)?.groups?.['host'];
  if (host !== undefined)
    return [{kind: 'connect', host: target.unknownAt === undefined ? host : undefined, isSure: true}];
  return [{kind: operator === '<' ? 'read' : 'write', place: placeOf(target, folders, scene), isSure: true}];
}
