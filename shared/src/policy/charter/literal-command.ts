import type {Act} from './act.ts';
import type {Condition} from './condition.ts';
import {disks} from './known-programs.ts';
import {isVital, isWithin} from './place.ts';
import {readShell} from './read-shell.ts';
import {parseShell} from './shell-parser.ts';
import {textOf, type ShellNode} from './shell-tree.ts';

/** Programs whose names are no words of English, so that an entry that begins with one is a command. */
const programs =
  /^(?:git|npm|pnpm|yarn|npx|bun|rm|rmdir|docker|podman|kubectl|helm|terraform|tofu|pulumi|aws|gcloud|az|sudo|curl|wget|ssh|scp|rsync|psql|mysql|redis-cli|gh|chmod|chown|dd|mkfs(?:\.\w+)?|systemctl|pip3?|cargo|wrangler|vercel|node|python3?|eslint|prettier|vitest|jest|pytest|tsc|ls|cat|grep|rg)$/;

const scene = {workspace: '/workspace/of/the/attempt', home: '/home/owner'};

/** An entry that is a command, with or without backticks: what it does, where that is known, and its words otherwise. */
export function literalConditions(entry: string, side: 'refusal' | 'approval'): readonly Condition[] | undefined {
  const inTicks = /^`(?<text>[^`]+)`$/.exec(entry.trim())?.groups?.['text'];
  const text = inTicks ?? entry.trim();
  if (inTicks === undefined && !programs.test(text.split(/\s/)[0] ?? '')) return undefined;
  const {nodes, problem} = parseShell(text, new Map([['HOME', scene.home]]));
  return problem === undefined ? conditionsFor(text, nodes, side) : undefined;
}

function conditionsFor(
  text: string,
  nodes: readonly ShellNode[],
  side: 'refusal' | 'approval',
): readonly Condition[] | undefined {
  const acts = readShell(text, scene);
  // A pipeline into a shell has no words of its own that say so.
  if (nodes.length > 1)
    return side === 'refusal' && acts.some(({kind}) => kind === 'unseen') ? [{kind: 'unseen'}] : undefined;
  const words = nodes.flatMap(wordsOf);
  if (words.length === 0) return undefined;
  return side === 'approval' ? [{kind: 'command', words}] : refusalOf(acts, words);
}

/** The words of a single command; none for anything else. A star is the charter's own here. */
function wordsOf(node: ShellNode): readonly string[] {
  if (node.kind !== 'command' || node.redirects.length > 0 || node.assignments.length > 0) return [];
  const words = node.words.map(word => textOf({...word, globAt: undefined}));
  return words.includes(undefined) ? [] : words.flatMap(word => word ?? []);
}

function refusalOf(acts: readonly Act[], words: readonly string[]): readonly Condition[] {
  if (words.length === 1 && words[0] === 'sudo') return [{kind: 'through', programs: ['sudo', 'doas']}];
  const conditions = acts.filter(({kind, isSure}) => isSure && kind !== 'connect').map(conditionOf);
  const isWhole = conditions.length > 0 && !conditions.includes(undefined);
  return isWhole ? conditions.flatMap(condition => condition ?? []) : [{kind: 'command', words}];
}

/** The same deed in any spelling; none where only the words themselves say what is meant. */
function conditionOf(act: Act): readonly Condition[] | undefined {
  if (act.kind === 'delete') {
    const isRecursive = act.isRecursive === true;
    const [path] = act.place.paths;
    if (path !== undefined && isVital(path, scene))
      return [{kind: 'path', access: ['delete'], paths: ['@vital'], isRecursive}, ...(isRecursive ? disks : [])];
    const pattern = path === undefined ? act.place.source : patternOf(path);
    return [{kind: 'path', access: ['delete'], paths: [pattern], isRecursive}];
  }
  if (act.kind !== 'git') return undefined;
  const {action} = act;
  if (action.kind === 'push') {
    const names = action.targets.flatMap(({branch}) => (branch === undefined || branch === '*' ? [] : [branch]));
    const isForced = action.targets.every(target => target.isForced === true);
    return [{kind: 'push', isForced, to: names.length === 0 ? undefined : names}];
  }
  return action.kind === 'other' ? undefined : [{kind: 'git', actions: [action.kind]}];
}

/** The same place on a machine with another workspace and another home. */
function patternOf(path: string): string {
  if (isWithin(path, scene.workspace)) return `.${path.slice(scene.workspace.length)}`;
  return isWithin(path, scene.home) ? `~${path.slice(scene.home.length)}` : path;
}
