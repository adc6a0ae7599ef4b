import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {toolProfiles} from '@switchyard/shared/policy/tool-profile.ts';
import {acpDriver} from '../../../../runner/src/agent/acp/acp-driver.ts';
import {acpInitial, decodeAcpLine} from '../../../../runner/src/agent/acp/acp-fold.ts';
import {questionOf} from '../../../../runner/src/agent/acp/hook-call.ts';
import {geminiPolicy, opencodePermission} from '../../../../runner/src/agent/acp/permission-settings.ts';
import {toolGate} from '../../../../runner/src/agent/tool-gate.ts';
import {driverInput} from '../driver-input.ts';

const model = {token: 'tok', urls: {anthropic: 'http://a', openai: 'http://o/v1', google: 'http://g'}};
const options = [{optionId: 'once', kind: 'allow_once', name: 'a'}];

function askedAbout(toolCall: object, ...before: readonly object[]) {
  const opened = {id: 2, result: {sessionId: 'ses'}};
  const updates = before.map(update => ({method: 'session/update', params: {update}}));
  const question = {id: 7, method: 'session/request_permission', params: {options, toolCall}};
  let state = acpInitial;
  for (const line of [opened, ...updates, question])
    ({state} = decodeAcpLine(state, JSON.stringify({jsonrpc: '2.0', ...line})));
  return state.asks[0]?.ask;
}

/** What the policy says about each tool. */
function rulesOf(policy: string): Readonly<Record<string, string>> {
  const rules = policy.split('[[rule]]\n').slice(1);
  return Object.fromEntries(
    rules.flatMap(rule => {
      const names = JSON.parse(/^toolName = (.*)$/m.exec(rule)?.[1] ?? '[]') as string[];
      const decision = /^decision = "(.*)"$/m.exec(rule)?.[1] ?? '';
      return names.map(name => [name, `${decision}${rule.includes('argsPattern = "."') ? ' always' : ''}`]);
    }),
  );
}

test('[CP19] gemini asks before each tool of its profile, whatever it takes for harmless, and has no other', () => {
  const developer = rulesOf(geminiPolicy(toolProfiles.developer));
  for (const tool of [
    'read_file',
    'glob',
    'list_directory',
    'grep_search',
    'write_file',
    'replace',
    'run_shell_command',
  ])
    expect([tool, developer[tool]]).toEqual([tool, 'ask_user always']);
  for (const tool of ['web_fetch', 'google_web_search', 'invoke_agent', 'activate_skill'])
    expect([tool, developer[tool]]).toEqual([tool, 'deny']);
  const readonly = rulesOf(geminiPolicy(toolProfiles.readonly));
  expect([readonly['read_file'], readonly['write_file'], readonly['run_shell_command']]).toEqual([
    'ask_user always',
    'deny',
    'deny',
  ]);
  const input = driverInput(taskSpecSchema.parse({prompt: 'x', agent: {driver: 'gemini'}}), {model});
  const {argv, files} = acpDriver('gemini').plan(input);
  const path = argv[argv.indexOf('--admin-policy') + 1];
  expect(files.map(file => `${input.homePath}/${file.path}`)).toContain(path);
});

test('[CP19] opencode asks before each tool of its profile and has no other', () => {
  expect(opencodePermission(toolProfiles.readonly)).toMatchObject({
    read: 'ask',
    grep: 'ask',
    edit: 'deny',
    bash: 'deny',
  });
  expect(opencodePermission(['Edit'])).toMatchObject({read: 'deny', edit: 'ask', webfetch: 'deny', skill: 'deny'});
  expect(opencodePermission(toolProfiles['full-access'])).toMatchObject({bash: 'ask', webfetch: 'ask', task: 'allow'});
});

test('[CP20] a call is judged by all that was shown of it before the agent asked', () => {
  const shown = {toolCallId: 't', kind: 'read', rawInput: {filePath: '/wt/.env'}, locations: [{path: '/wt/.env'}]};
  const question = {toolCallId: 't', title: 'read', kind: 'read', rawInput: {}, locations: []};
  const before = {sessionUpdate: 'tool_call_update', ...shown};
  expect(askedAbout(question, before)).toMatchObject({tool: 'Read', input: {file_paths: ['/wt/.env']}});
  const other = {...before, toolCallId: 'other'};
  expect(askedAbout(question, other)).toMatchObject({tool: 'Read', input: {file_path: ''}});
  const command = {toolCallId: 't', kind: 'execute', rawInput: {command: 'rm x'}};
  const place = {sessionUpdate: 'tool_call', toolCallId: 't', kind: 'execute', rawInput: {cwd: '/etc'}};
  expect(askedAbout(command, place)).toMatchObject({input: {command: 'rm x', cwd: '/etc'}});
  const done = {sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'completed'};
  expect(askedAbout(question, before, done)).toMatchObject({input: {file_path: ''}});
});

test.for([
  {title: "'x' within src", paths: ['.', 'src']},
  {title: "'x within y' in *.ts within .aws", paths: ['.', '.aws']},
  {title: 'docs', paths: ['.', 'docs']},
  {title: "'x' within a/.../z", paths: ['.', '']},
])('[CP20] a search that is called $title is one in $paths', ({title, paths}) => {
  expect(askedAbout({toolCallId: 't', kind: 'search', title, locations: []})).toMatchObject({
    tool: 'Grep',
    input: {file_paths: paths},
  });
});

test('[CP20] people see what an edit would write', () => {
  const content = [{type: 'diff', path: 'a', oldText: '', newText: 'new words'}];
  expect(askedAbout({toolCallId: 't', kind: 'edit', content, locations: [{path: 'a'}]})).toMatchObject({
    tool: 'Write',
    input: {file_path: 'a', content: 'new words'},
  });
});

test('[CP21] a command of codex that its sandbox holds is asked about, also where the profile has no commands', async () => {
  const spec = taskSpecSchema.parse({prompt: 'x', agent: {driver: 'codex', profile: 'readonly'}});
  const input = driverInput(spec, {model});
  expect(JSON.stringify(acpDriver('codex').plan(input).files)).toContain("'held'");
  const call = (tool_name: string, tool_input: object) => JSON.stringify({tool_name, tool_use_id: 'c', tool_input});
  const asked = async (text: string, id = 'hook-1') => {
    const line = {jsonrpc: '2.0', id, method: 'session/request_permission', params: questionOf(text, 'ours__', true)};
    const ask = decodeAcpLine(acpInitial, JSON.stringify(line)).state.asks[0]?.ask;
    if (ask === undefined) throw new Error('nothing is asked');
    const ruling = () => ({decision: 'default', rule: null, reason: ''}) as const;
    const nobody = () => Promise.reject(new Error('nobody is asked'));
    const gate = toolGate({spec, ruling, askPerson: nobody, mayEnd: nobody, progress: async () => undefined});
    return (await gate(ask, new AbortController().signal)).kind;
  };
  expect(await asked(call('Bash', {command: 'cat a'}))).toBe('allow');
  // Only a hook is believed, and only of a command.
  expect(await asked(call('Bash', {command: 'cat a'}), 'other')).toBe('deny');
  expect(await asked(call('Bash', {command: "apply_patch <<'EOF'\n*** Begin Patch"}))).toBe('deny');
  expect(await asked(call('apply_patch', {command: '*** Begin Patch\n*** Add File: a\n'}))).toBe('deny');
  expect(await asked(call('view_image', {path: 'a.png'}))).toBe('allow');
});
