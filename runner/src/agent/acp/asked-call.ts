import {OUR_PREFIX, ourTools, TOOL_SERVER} from '../our-tools.ts';
import type {AcpRequest, AcpUpdate} from './acp-line.ts';

export type ToolCall = NonNullable<NonNullable<AcpRequest['params']>['toolCall']>;

/** What an agent said about a call before it asked about it. */
export type ShownCall = {readonly input: Readonly<Record<string, unknown>>; readonly paths: readonly string[]};

const nothingShown: ShownCall = {input: {}, paths: []};

/** Kinds of tool calls by the names that profiles and charters use; what is of no known kind keeps its own. */
export const toolsByKind: Readonly<Record<string, string>> = {
  read: 'Read',
  search: 'Grep',
  edit: 'Write',
  delete: 'Bash',
  move: 'Bash',
  execute: 'Bash',
  fetch: 'WebFetch',
};

/** Some agents show what a call does piece by piece, and ask about it with less. */
export function shownCall(before: ShownCall = nothingShown, {rawInput, locations}: AcpUpdate): ShownCall {
  const paths = Array.isArray(locations) ? locations.flatMap(pathOf) : [];
  const input = typeof rawInput === 'object' && rawInput !== null ? rawInput : {};
  return {input: {...before.input, ...input}, paths: paths.length === 0 ? before.paths : paths};
}

function pathOf(location: unknown): readonly string[] {
  const path: unknown = typeof location === 'object' && location !== null ? Reflect.get(location, 'path') : undefined;
  return typeof path === 'string' ? [path] : [];
}

/** Agents tell what a call does in different fields; a title is what they show to a person who has to decide. */
export function askedCall(
  call: ToolCall,
  shown: ShownCall = nothingShown,
): {readonly tool: string; readonly input: Record<string, unknown>} {
  const {kind, title} = call;
  const own = ownTool(call);
  if (own !== undefined) return {tool: own, input: {...call.rawInput}};
  const tool = toolsByKind[kind ?? ''] ?? `unknown ${kind ?? 'tool'}`;
  const {input, paths} = shownCall(shown, {sessionUpdate: 'tool_call', ...call});
  if (tool === 'Bash') {
    const {command} = input;
    return {tool, input: {...folderOf(call), ...input, command: typeof command === 'string' ? command : (title ?? '')}};
  }
  return {tool, input: {...input, ...newTextOf(call), ...placesOf(tool, paths, {title, hasInput: isFilled(input)})}};
}

const isFilled = (input: object): boolean => Object.keys(input).length > 0;

/** A file that is read without a name may be any. */
function placesOf(
  tool: string,
  paths: readonly string[],
  {title, hasInput}: {readonly title: string | null | undefined; readonly hasInput: boolean},
): object {
  const [first] = paths;
  if (first !== undefined) return {file_path: first, file_paths: paths};
  if (tool === 'Read') return {file_path: ''};
  return tool === 'Grep' && !hasInput ? {file_paths: searchedPaths(title ?? '')} : {};
}

/** gemini names the folder of a search in its title alone: `'x' within src`, or nothing else; a long name is shortened. */
function searchedPaths(title: string): readonly string[] {
  const folder = title.split(' within ').at(-1) ?? '';
  return ['.', folder.includes('...') ? '' : folder];
}

/** What an edit would write, so that people decide on that, and on nothing else. */
function newTextOf(call: ToolCall): object {
  const content: unknown = call['content'];
  const texts = (Array.isArray(content) ? content : []).flatMap((each: unknown) => {
    const text: unknown = typeof each === 'object' && each !== null ? Reflect.get(each, 'newText') : undefined;
    return typeof text === 'string' ? [text] : [];
  });
  return texts.length === 0 ? {} : {content: texts.join('\n')};
}

/** gemini names the folder of a command in the text that it shows beside it. */
function folderOf(call: ToolCall): {readonly cwd?: string} {
  const said = JSON.stringify(call['content'] ?? null);
  const cwd = /"text":"\[in (?<cwd>(?:[^"\\]|\\.)*?)\]/.exec(said)?.groups?.['cwd'];
  return cwd === undefined ? {} : {cwd: String(JSON.parse(`"${cwd}"`))};
}

/**
 * gemini asks before it calls a tool of ours too. Its registry made the id from the names of server and tool, so that no other
 * tool, of whatever title, is taken for one of these.
 */
function ownTool({toolCallId, title}: ToolCall): string | undefined {
  return ourTools
    .map(({name}) => name)
    .filter(name => toolCallId.startsWith(`mcp_${TOOL_SERVER}_${name}__`))
    .filter(name => title === `${name} (${TOOL_SERVER} MCP Server)`)
    .map(name => `${OUR_PREFIX}${name}`)[0];
}
