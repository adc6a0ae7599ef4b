import {execFileSync} from 'node:child_process';
import {chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {parseCharter} from '@switchyard/shared/domain/charter.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {charterIntroduction} from '@switchyard/shared/domain/charter-introduction.ts';
import {lint, rulebookOf} from '@switchyard/shared/policy/charter/rulebook.ts';
import {readCharterFile} from '../../../runner/src/agent/charter-file.ts';
import {judgeCommand, rulebook} from './charter-scene.ts';

const folder = mkdtempSync(join(tmpdir(), 'charter-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

function file(text: string | Buffer, name = 'charter.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Every field and every way of writing that charters of older daemons use. */
const older = `name: night-shift
role: Tier1-Orchestrator
tier: 1

identity:
  name: "Night shift"
  email: "night@example.com"

responsibilities:
  - sort_requests
  - watch_sessions

resourceLimits:
  maxSessions: 10
  tokenBudget:
    subscription: 80%
    api: 20%

safetyHeuristics:
  autoApprove:
    - "Read file operations"
    - "Run test suites"
  alwaysReject:
    - "rm -rf /"
    - "Force push to main"
  escalate:
    - "Production deployments"
`;

test('[CA1] a charter in the older format loads, and every entry of it is understood', async () => {
  const charter = await readCharterFile(file(older));
  expect(charter).toMatchObject({
    name: 'night-shift',
    role: 'Tier1-Orchestrator',
    tier: 1,
    identity: {name: 'Night shift', email: 'night@example.com'},
    responsibilities: ['sort_requests', 'watch_sessions'],
    resourceLimits: {maxSessions: 10, tokenBudget: {subscription: 80, api: 20}},
  });
  expect(lint(charter.safetyHeuristics)).toEqual([]);
});

/** The fields that the schema of the older daemon asked for beyond those of its example. */
const demanding = `name: night-shift
identity: {name: Night shift, email: night@example.com}
resourceLimits: {memory: 4GB, maxSessions: 100, tokenBudget: {hourly: 100000, daily: 1000000}}
measurableObjectives:
  - Every request is answered within a day
  - {metric: error rate, target: 1%, weight: 2}
hardConstraints:
  - Force push to main
  - Never promise a date
`;

test('[CA1] what the older schema demanded loads as well; a constraint that a rule understands is a refusal', async () => {
  const {safetyHeuristics, hardConstraints, resourceLimits} = await readCharterFile(file(demanding));
  expect(resourceLimits).toEqual({
    memory: 4_294_967_296,
    maxSessions: 100,
    tokenBudget: {hourly: 100_000, daily: 1_000_000},
  });
  const book = rulebookOf(safetyHeuristics, hardConstraints);
  expect(book).toMatchObject({reject: [{name: 'Force push to main'}], unread: []});
  expect(lint(safetyHeuristics, hardConstraints)).toMatchObject([
    {list: 'hardConstraints', entry: 'Never promise a date', severity: 'warning'},
  ]);
});

test('[CA24] agents are told who they are and what they answer for, and nothing where the charter says nothing', async () => {
  const told = charterIntroduction(await readCharterFile(file(older)));
  for (const text of [
    'night-shift',
    'Tier1-Orchestrator',
    'Tier: 1',
    'Night shift',
    'night@example.com',
    '- sort_requests',
  ])
    expect(told).toContain(text);
  const demanded = charterIntroduction(await readCharterFile(file(demanding)));
  expect(demanded).toContain('- metric: error rate, target: 1%, weight: 2');
  expect(demanded).toContain('- Never promise a date');
  expect(charterIntroduction(parseCharter({name: 'a', safetyHeuristics: {alwaysReject: ['rm -rf /']}}))).toBe(null);
});

test('[CA1] a name is enough; what is absent approves and refuses nothing', () => {
  expect(parseCharter({name: 'a'})).toEqual({
    name: 'a',
    responsibilities: [],
    resourceLimits: {},
    measurableObjectives: [],
    hardConstraints: [],
    safetyHeuristics: {autoApprove: [], alwaysReject: [], escalate: []},
  });
});

const base = {name: 'a'};
test.for([
  [{}, 'name: '],
  [null, 'the charter: '],
  [[], 'the charter: '],
  [{...base, rol: 'x'}, 'rol is not known'],
  [{...base, __proto__: null, constructor: 1}, 'constructor is not known'],
  [{...base, tier: 'one'}, 'tier: '],
  [{...base, identity: {mail: 'x'}}, 'identity.mail is not known'],
  [{...base, identity: {email: 'x'}}, 'identity.email: '],
  [{...base, resourceLimits: {maxSessions: 0}}, 'resourceLimits.maxSessions: '],
  [{...base, resourceLimits: {maxsessions: 3}}, 'resourceLimits.maxsessions is not known'],
  [{...base, resourceLimits: {tokenBudget: {api: '120%'}}}, 'resourceLimits.tokenBudget.api: '],
  [{...base, resourceLimits: {tokenBudget: {api: 'half'}}}, 'resourceLimits.tokenBudget.api: must be a percentage'],
  [{...base, safetyHeuristics: {alwaysRejects: []}}, 'safetyHeuristics.alwaysRejects is not known'],
  [{...base, safetyHeuristics: {alwaysReject: 'rm -rf /'}}, 'safetyHeuristics.alwaysReject: '],
  [{...base, safetyHeuristics: {alwaysReject: ['']}}, 'safetyHeuristics.alwaysReject[0]: '],
  [{...base, safetyHeuristics: {alwaysReject: [{}]}}, 'alwaysReject[0]: must say what it is about'],
  [{...base, safetyHeuristics: {alwaysReject: [{name: 'x'}]}}, 'alwaysReject[0]: must say what it is about'],
  [{...base, safetyHeuristics: {alwaysReject: [{comand: ['x']}]}}, 'alwaysReject[0].comand is not known'],
  [
    {...base, safetyHeuristics: {escalate: ['a', {git: {push: {forced: true}}}]}},
    'escalate[1].git.push.forced is not known',
  ],
  [{...base, safetyHeuristics: {escalate: [{git: {}}]}}, 'escalate[0].git: must hold push or actions'],
  [{...base, safetyHeuristics: {escalate: [{git: {actions: ['nuke']}}]}}, 'escalate[0].git.actions[0]: '],
  [{...base, safetyHeuristics: {escalate: [{path: ['x'], read: ['y']}]}}, 'escalate[0].path: belongs to a tool'],
  [{...base, role: 'a\u202eb'}, 'role: holds a character that cannot be seen'],
  [{...base, safetyHeuristics: {alwaysReject: ['Force push to ma\u200bin']}}, 'alwaysReject[0]: holds a character'],
] as const)('[CA2] %j is refused with: %s', ([value, fault]) => {
  expect(() => parseCharter(value)).toThrow(
    expect.objectContaining({code: 'charter_invalid', detail: expect.stringContaining(fault)}),
  );
});

test.for([
  {command: ['git push --force']},
  {command: ['/usr/bin/git', 'push']},
  {through: ['/usr/bin/sudo']},
  {network: ['https://example.com/x']},
  {network: ['example.com:443']},
  {read: ['~ada/x']},
  {write: ['$HOME/x']},
  {delete: ['{a,b}/x']},
  {read: ['@home']},
  {tool: 'Write', path: ['~ada/x']},
])('[CA44] a rule that could never be met is refused: %j', rule => {
  expect(() => parseCharter({...base, safetyHeuristics: {alwaysReject: [rule]}})).toThrow(
    expect.objectContaining({code: 'charter_invalid', detail: expect.stringContaining('must be')}),
  );
});

test.for([
  [{git: {push: {to: ['refs/heads/main']}}}, 'git push origin main'],
  [{read: ['../x']}, 'cat ../x/a'],
  [{read: ['a//b/']}, 'cat a/b'],
  [{read: ['~']}, 'cat ~/x'],
  [{read: ['@scope/package']}, 'cat @scope/package'],
  [{read: ['src/[id]/$page.ts']}, "cat 'src/[id]/$page.ts'"],
  [{network: ['[::1]']}, 'curl http://[::1]/'],
  ['rm -rf ~/work', 'rm -r $HOME/work'],
  ['rm -rf /opt/x/y', 'rm -rf /opt/x'],
] as const)('[CA44] %j is met by: %s', ([rule, command]) => {
  expect(judgeCommand(rulebook({alwaysReject: [rule]}), command).decision).toBe('reject');
  expect(judgeCommand(rulebook({alwaysReject: [rule]}), 'ls /srv').decision).toBe('ask-default');
});

test.for([
  ['name: a\nname: b\n', 'unique'],
  ['name: [a\n', 'at line'],
  ['name: !!js/function "x"\n', 'tag'],
  ['- a\n', 'the charter: '],
  ['', 'the charter: '],
  ['x: &a [1]\nname: *b\n', 'b'],
  [`name: ${'a'.repeat(limits.charterBytesMax)}\n`, 'longer than'],
] as const)('[CA3] a file is refused: %j', async ([text, fault]) => {
  const refused = await readCharterFile(file(text)).catch((error: unknown) => error);
  expect(refused).toMatchObject({code: 'charter_invalid', detail: expect.stringContaining(fault)});
});

test.for([
  ['bytes that are no text', Buffer.from([0x6e, 0x61, 0x6d, 0x65, 0x3a, 0x20, 0xff, 0x0a]), 'utf-8'],
  ['another encoding', Buffer.from('\ufeffname: a\n', 'utf16le'), 'utf-8'],
  ['a key that is given twice by an alias', '&a name: a\n*a : b\n', 'alias'],
  ['tabs', 'name: a\nsafetyHeuristics:\n\talwaysReject: []\n', 'Tabs'],
  ['two documents', 'name: a\n---\nname: b\n', 'multiple documents'],
  ['a bomb of aliases', `a: &a [x]\nb: &b [${'*a,'.repeat(20)}]\nname: a\nc: [${'*b,'.repeat(20)}]\n`, 'alias count'],
  ['deep nesting', `name: ${'['.repeat(5_000)}`, 'at line'],
  ['a list that is empty by mistake', 'name: a\nsafetyHeuristics:\n  alwaysReject:\n', 'expected array'],
] as const)('[CA3] a file is refused: %s', async ([, text, fault]) => {
  const refused = await readCharterFile(file(text)).catch((error: unknown) => error);
  expect(refused).toMatchObject({code: 'charter_invalid', detail: expect.stringContaining(fault)});
});

test('[CA45] a charter that everybody can change is refused, also behind a link, and so is what is no file', async () => {
  const path = file('name: a\n', 'open.yaml');
  const link = join(folder, 'link.yaml');
  symlinkSync(path, link);
  expect(await readCharterFile(link)).toMatchObject({name: 'a'});
  chmodSync(path, 0o646);
  for (const each of [path, link])
    await expect(readCharterFile(each)).rejects.toMatchObject({detail: expect.stringContaining('everybody')});
  for (const each of [folder, '/dev/zero', fifo()])
    await expect(readCharterFile(each)).rejects.toMatchObject({code: 'charter_invalid'});
});

function fifo(): string {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

test('[CA3] a mark of the byte order in front is none of the text', async () => {
  expect(await readCharterFile(file('\ufeffname: a\n'))).toMatchObject({name: 'a'});
});

test('[CA3] a file that is not there is refused by its path', async () => {
  const path = join(folder, 'absent.yaml');
  await expect(readCharterFile(path)).rejects.toMatchObject({
    code: 'charter_invalid',
    detail: expect.stringContaining(path),
  });
});
