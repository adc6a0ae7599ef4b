import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {parseCharter} from '@switchyard/shared/domain/charter.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {charterIntroduction} from '@switchyard/shared/domain/charter-introduction.ts';
import {lint, rulebookOf} from '@switchyard/shared/policy/charter/rulebook.ts';
import {readCharterFile} from '../../../runner/src/agent/charter-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'charter-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

function file(text: string): string {
  const path = join(folder, 'charter.yaml');
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
] as const)('[CA2] %j is refused with: %s', ([value, fault]) => {
  expect(() => parseCharter(value)).toThrow(
    expect.objectContaining({code: 'charter_invalid', detail: expect.stringContaining(fault)}),
  );
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

test('[CA3] a file that is not there is refused by its path', async () => {
  const path = join(folder, 'absent.yaml');
  await expect(readCharterFile(path)).rejects.toMatchObject({
    code: 'charter_invalid',
    detail: expect.stringContaining(path),
  });
});
