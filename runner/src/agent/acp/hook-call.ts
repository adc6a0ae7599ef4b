/** What codex tells a hook before a tool runs (https://developers.openai.com/codex/hooks), as far as it is used here. */
type HookCall = {readonly tool: string; readonly id: string; readonly input: Readonly<Record<string, unknown>>};

/** Tools that reach nothing outside of the conversation. */
const harmless = new Set(['update_plan', 'get_goal', 'create_goal', 'update_goal', 'wait']);

export const hookOptions = [
  {optionId: 'allow', kind: 'allow_once', name: 'Allow'},
  {optionId: 'reject', kind: 'reject_once', name: 'Reject'},
] as const;

/** A question with such an id comes from a hook, by way of the relay beside the agent. */
export const HOOK_PREFIX = 'hook-';

/** What the hook is told where the sandbox of the agent holds its profile by itself. */
export const HELD = 'held';

/**
 * The question to the runner, as an agent of the Agent Client Protocol asks it; null where there is none to ask. A process
 * runs this before each tool, so it loads nothing else.
 */
export function questionOf(text: string, ownPrefix: string, isHeld = false): object | null {
  const {tool, id, input} = readHookCall(text);
  // Ours decide for themselves who may call them.
  if (harmless.has(tool) || tool.startsWith(ownPrefix)) return null;
  const shape = shapeOf(tool, input);
  // A command may run although the profile has none: whatever it writes is refused to it. A patch is no command: the
  // agent applies it itself, and gives its turn up when that is refused.
  const held = isHeld && tool === SHELL && !isPatch.test(JSON.stringify(input)) ? {isHeld} : {};
  return {sessionId: 'hook', options: hookOptions, toolCall: {toolCallId: id, title: tool, ...shape, ...held}};
}

const SHELL = 'Bash';
const isPatch = /\bapply_?patch\b/;

function shapeOf(tool: string, input: HookCall['input']): object {
  const {command, path} = input;
  if (tool === SHELL) return {kind: 'execute', rawInput: input};
  if (tool === 'view_image' && typeof path === 'string') return {kind: 'read', rawInput: input, locations: [{path}]};
  if (tool !== 'apply_patch') return {kind: 'other', rawInput: input};
  const files = patchedFiles(typeof command === 'string' ? command : JSON.stringify(input));
  return {kind: 'edit', rawInput: {}, locations: files.map(path => ({path}))};
}

/** Every file that a patch adds, changes, removes or moves something to. */
export function patchedFiles(patch: string): readonly string[] {
  const headers = patch.matchAll(
    /(?:^|\n|\\n)\*\*\* (?:Add File|Update File|Delete File|Move to): (?<path>.+?)(?=\r?\n|\\n|$)/g,
  );
  return [...headers].flatMap(({groups}) => groups?.['path']?.trim() ?? []);
}

/** Throws for a call that is not understood: then the tool must not run. */
function readHookCall(text: string): HookCall {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new TypeError('a call of a hook is an object');
  const tool: unknown = Reflect.get(value, 'tool_name');
  const id: unknown = Reflect.get(value, 'tool_use_id');
  const input: unknown = Reflect.get(value, 'tool_input');
  if (typeof tool !== 'string' || typeof id !== 'string') throw new TypeError('a call of a hook names its tool');
  return {tool, id, input: typeof input === 'object' && input !== null ? {...input} : {}};
}
