import {unseen, type Act, type ToolCall} from './act.ts';
import {withAfterEffects} from './after-effects.ts';
import {hostOf} from './connections.ts';
import {formsOf} from './named-places.ts';
import {placeOf, type Scene} from './place.ts';
import {readShell} from './read-shell.ts';
import {plainWord} from './shell-tree.ts';

type ToolKind = 'shell' | 'read' | 'write' | 'connect';

/** The tools of the agents that this project drives, by their names in small letters. */
const tools: Readonly<Record<string, ToolKind>> = {
  bash: 'shell',
  shell: 'shell',
  execute: 'shell',
  run_shell_command: 'shell',
  'terminal/create': 'shell',
  read: 'read',
  glob: 'read',
  grep: 'read',
  ls: 'read',
  notebookread: 'read',
  read_file: 'read',
  'fs/read_text_file': 'read',
  write: 'write',
  edit: 'write',
  multiedit: 'write',
  notebookedit: 'write',
  write_file: 'write',
  replace: 'write',
  'fs/write_text_file': 'write',
  webfetch: 'connect',
  web_fetch: 'connect',
};

const pathFields = ['file_path', 'notebook_path', 'path', 'absolute_path', 'file', 'filename'];
/** Where one call is about several files. */
const listFields = ['file_paths', 'paths', 'files'];
const commandFields = ['command', 'cmd', 'script', 'code'];

/** What a call would do, one act after the other. An input of another shape than the tool has is not understood. */
export function readCall(call: ToolCall, scene: Scene): readonly Act[] {
  return withAfterEffects(readTool(call, scene));
}

function readTool({tool, input}: ToolCall, scene: Scene): readonly Act[] {
  const name = tool.toLowerCase();
  switch (Object.hasOwn(tools, name) ? tools[name] : undefined) {
    case 'shell':
      return readShellInput(input, scene);
    case 'read': {
      const acts = readPaths(input, scene, 'read') ?? [touch('read', '.', scene)];
      // It shows lines of all files of a folder, and not only their names.
      const isSearch = name === 'grep' && textField(input, 'output_mode') === 'content';
      return isSearch ? acts.map(act => (act.kind === 'read' ? {...act, inside: 'all'} : act)) : acts;
    }
    case 'write':
      return readPaths(input, scene, 'write') ?? [unseen(`${tool} names no path`)];
    case 'connect':
      return [{kind: 'connect', host: hostOf(textField(input, 'url') ?? ''), isSure: true}];
    default:
      return readUnknownTool(input, scene);
  }
}

function textField(input: ToolCall['input'], name: string): string | undefined {
  const value = Object.hasOwn(input, name) ? input[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function touch(kind: 'read' | 'write', path: string, scene: Scene): Extract<Act, {kind: 'read' | 'write'}> {
  const word = path.startsWith('~/') && scene.home !== undefined ? `${scene.home}${path.slice(1)}` : path;
  return {kind, place: placeOf(plainWord(word), [scene.cwd ?? scene.workspace], scene), isSure: true};
}

/** Every path that the input names; undefined when it names none. */
function readPaths(input: ToolCall['input'], scene: Scene, kind: 'read' | 'write'): readonly Act[] | undefined {
  const given = pathFields.filter(name => Object.hasOwn(input, name));
  const lists = listFields.filter(name => Object.hasOwn(input, name));
  if (given.length + lists.length === 0) return undefined;
  const one = (name: string, path: unknown): Act =>
    typeof path === 'string' && path !== '' ? touch(kind, path, scene) : unseen(`${name} is no path`);
  return [
    ...given.map(name => one(name, input[name])),
    ...lists.flatMap(name => {
      const paths: unknown = input[name];
      return Array.isArray(paths) ? paths.map(path => one(name, path)) : [unseen(`${name} is no list of paths`)];
    }),
  ];
}

/** A command line, or a program with its words. */
function readShellInput(input: ToolCall['input'], scene: Scene): readonly Act[] {
  const {command, args} = input;
  const folder = textField(input, 'cwd') ?? textField(input, 'workdir') ?? scene.cwd;
  const [cwd] = folder === undefined ? [] : placeOf(plainWord(folder), [scene.workspace], scene).paths;
  if (typeof command === 'string' && args === undefined) return readShell(command, {...scene, cwd});
  const words = Array.isArray(command) ? command : Array.isArray(args) ? [command, ...args] : [];
  if (words.length === 0 || !words.every(word => typeof word === 'string')) return [unseen('there is no command')];
  return readShell(words.map(quoted).join(' '), {...scene, cwd});
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** What a tool that is not known does with its input is only perhaps what its fields say. */
function readUnknownTool(input: ToolCall['input'], scene: Scene): readonly Act[] {
  const isList = Array.isArray(input['command']) || Array.isArray(input['args']);
  const scripts = isList
    ? readShellInput(input, scene)
    : commandFields.flatMap(name => readShell(textField(input, name) ?? '', scene));
  const paths = pathFields.flatMap(name => {
    const path = textField(input, name);
    return path === undefined || path === '' ? [] : [touch('write', path, scene), touch('read', path, scene)];
  });
  const url = hostOf(textField(input, 'url') ?? '');
  const connections: readonly Act[] = url === undefined ? [] : [{kind: 'connect', host: url, isSure: true}];
  const perhaps = [...scripts, ...paths, ...connections].filter(({kind}) => kind !== 'unseen' && kind !== 'run');
  return [
    {kind: 'other', isSure: true},
    ...perhaps.map((act): Act => ({...act, isSure: false})),
    ...namedIn(input, scene),
  ];
}

const valuesMax = 500;

/** Every text in the input, however deep, that could be the name of a place. Prose is none. */
function namedIn(input: unknown, scene: Scene): readonly Act[] {
  const values: unknown[] = [input];
  for (const value of values) {
    if (values.length > valuesMax) return [unseen('the input has too many fields')];
    if (typeof value === 'object' && value !== null) values.push(...Object.values(value));
  }
  const texts = values.filter(value => typeof value === 'string').filter(text => text !== '' && !/\s/.test(text));
  return texts.flatMap(text =>
    formsOf(plainWord(text)).map((form): Act => {
      const {place} = touch('read', form.literal, scene);
      return {kind: 'names', place, isSure: false};
    }),
  );
}
