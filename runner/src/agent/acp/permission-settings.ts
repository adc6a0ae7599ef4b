/**
 * What an agent's own program asks about, in its own words: every tool of the profile before it runs, also those that only
 * read, and every other tool not at all, because it does not have it. So what answers the questions decides everything.
 */
type Asking = 'ask' | 'allow' | 'deny';

/** Agents of an agent ask for what they do themselves. */
const asksFor = (tool: string): Asking => (tool === 'Task' ? 'allow' : 'ask');

/** The tools of gemini by the names of profiles. */
const geminiTools: Readonly<Record<string, readonly string[]>> = {
  Read: ['read_file', 'read_many_files'],
  Glob: ['glob', 'list_directory'],
  Grep: ['grep_search', 'search_file_content'],
  Write: ['write_file'],
  Edit: ['replace'],
  Bash: ['run_shell_command'],
  WebFetch: ['web_fetch'],
  Task: ['invoke_agent'],
};

/** A search by its provider asks as one in the files; the rest changes what is asked about, or brings texts that run. */
const geminiNever = ['google_web_search', 'enter_plan_mode', 'exit_plan_mode', 'activate_skill', 'save_memory'];

const PRIORITY_MAX = 999;

/**
 * A file for the policy engine of gemini (docs/reference/policy-engine.md in its package). The pattern fits every call: a
 * rule without one lets the commands run that gemini takes for harmless.
 */
export function geminiPolicy(tools: readonly string[]): string {
  const decisionOf = {ask: 'ask_user', allow: 'allow', deny: 'deny'} as const;
  const rule = (names: readonly string[], asking: Asking): readonly string[] => [
    '[[rule]]',
    `toolName = ${JSON.stringify(names)}`,
    // A tool that is denied whatever its input is not even told to the model.
    ...(asking === 'deny' ? [] : ['argsPattern = "."']),
    `decision = "${decisionOf[asking]}"`,
    `priority = ${PRIORITY_MAX}`,
  ];
  const rules = Object.entries(geminiTools).map(([tool, names]) =>
    rule(names, tools.includes(tool) ? asksFor(tool) : 'deny'),
  );
  return [...rules.flat(), ...rule(geminiNever, 'deny'), ''].join('\n');
}

/** The permissions of opencode by the names of profiles; one may stand for several tools. */
const opencodePermissions: Readonly<Record<string, readonly string[]>> = {
  read: ['Read'],
  glob: ['Glob'],
  grep: ['Grep'],
  list: ['Glob'],
  edit: ['Write', 'Edit'],
  bash: ['Bash'],
  webfetch: ['WebFetch'],
  websearch: ['WebFetch'],
  codesearch: ['WebFetch'],
  task: ['Task'],
};

export function opencodePermission(tools: readonly string[]): Readonly<Record<string, Asking>> {
  const permissions = Object.entries(opencodePermissions).map(([name, either]): [string, Asking] => {
    const tool = either.find(each => tools.includes(each));
    return [name, tool === undefined ? 'deny' : asksFor(tool)];
  });
  // Every tool asks for what it does there itself, by a name that the rules know.
  return {...Object.fromEntries(permissions), external_directory: 'allow', skill: 'deny', lsp: 'deny'};
}
