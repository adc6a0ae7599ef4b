import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {filesBelow} from '../fixtures/files-below.ts';
import {call, chosenBy, say, shell, turn, write, type Move, type Scenario} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

const charter = `
name: reader
safetyHeuristics:
  alwaysReject:
    - name: closed files
      reason: this file is closed
      read: [closed.txt]
`;
const CANARY = 'what-stands-in-the-closed-file';

const agents = [
  {driver: 'codex', model: 'gpt-5', read: null},
  {driver: 'gemini', model: 'gemini-2.5-pro', read: call('read_file', {file_path: 'closed.txt'})},
  {driver: 'opencode', model: 'm', read: call('read', {filePath: 'closed.txt'})},
] as const;

const patch = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: patched\n+x\n*** End Patch\nEOF";
const writes: Readonly<Record<string, Move>> = {
  redirection: shell('echo x > by-redirection'),
  commit: shell('git commit --allow-empty -m forbidden'),
  'patch-program': shell(patch),
  background: shell('(sleep 1; echo x > by-background) &'),
  outside: shell('echo x > ../outside-of-the-worktree'),
  'write-tool': write('by-tool', 'x'),
  'edit-tool': call('edit', {filePath: 'README.md', oldString: 'test', newString: 'x'}),
  'replace-tool': call('replace', {file_path: 'README.md', old_string: 'test', new_string: 'x', instruction: 'x'}),
  'patch-tool': call('apply_patch', {
    input: '*** Begin Patch\n*** Add File: patched\n+x\n*** End Patch',
    patchText: '*** Begin Patch\n*** Add File: patched\n+x\n*** End Patch',
  }),
};

const reading = (read: Move | null): Scenario => [
  ...(read === null ? [] : [turn(read)]),
  turn(shell('cat closed.txt')),
  turn(shell('cat README.md')),
  turn(say('done')),
];

let stage: Stage;
beforeAll(async () => {
  const scenarios = [...agents, {driver: 'claude'} as const].flatMap(({driver}) =>
    Object.entries(writes).map(
      ([name, move]) => [`${driver}-${name}`, [turn(move), turn(say('I could not.'))]] as const,
    ),
  );
  stage = await openStage(
    {
      ...Object.fromEntries(scenarios),
      ...Object.fromEntries(agents.map(({driver, read}) => [`read-${driver}`, reading(read)])),
    },
    {'charter.yaml': charter},
  );
  const {path} = stage.repository;
  writeFileSync(join(path, 'closed.txt'), `${CANARY}\n`);
  await execa('git', ['-C', path, 'add', '--all']);
  await execa('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@localhost', 'commit', '-qm', 'closed']);
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const submit = async (scenario: string, agent: TaskSpecInput['agent']): Promise<TaskView['id']> =>
  stage.submit({prompt: `Please do the work. ${chosenBy(scenario)}`, agent, expect_change: false});

test.for(agents.flatMap(agent => (['readonly', 'developer'] as const).map(profile => ({...agent, profile}))))(
  '[RA106] $driver $profile: what the charter closes is read neither by a tool nor by a command',
  {timeout: 300_000},
  async ({driver, model, read, profile}) => {
    stage.api.requests.length = 0;
    const id = await submit(`read-${driver}`, {driver, model, profile});
    await stage.bed.finished(id, 240_000);
    const log = await stage.bed.log(id);
    const denied = [...log.matchAll(/denied (\w+): this file is closed/g)].map(([, tool]) => tool);
    // Without commands in its profile an agent has none, unless its sandbox holds them.
    const hasCommands = driver === 'codex' || profile === 'developer';
    expect(denied, log.slice(-4_000)).toEqual([...(read === null ? [] : ['Read']), ...(hasCommands ? ['Bash'] : [])]);
    expect(log).not.toContain(CANARY);
    // It went on, and could read what is open.
    expect(stage.api.turnsPlayed(`read-${driver}`)).toContain(reading(read).length - 1);
  },
);

test.for([{driver: 'claude', model: 'm'} as const, ...agents])(
  '[RA103] $driver: with the readonly profile no way to write leads anywhere, each tried by itself',
  {timeout: 600_000},
  async ({driver, model}) => {
    const names = Object.keys(writes);
    const ids = await Promise.all(
      names.map(async name => submit(`${driver}-${name}`, {driver, model, profile: 'readonly'})),
    );
    for (const [index, id] of ids.entries()) {
      const name = names[index] ?? '';
      const task = await stage.bed.finished(id, 500_000);
      const log = await stage.bed.log(id);
      // It was told of the refusal, or that it has no such tool, and went on.
      expect([name, stage.api.turnsPlayed(`${driver}-${name}`)], log.slice(-4_000)).toEqual([name, [0, 1]]);
      expect([name, task.state], log.slice(-4_000)).toEqual([name, 'succeeded']);
      const {commits = 0, files_changed = 0} = task.result?.git ?? {};
      expect([name, commits, files_changed], log.slice(-4_000)).toEqual([name, 0, 0]);
    }
    const outside = filesBelow(stage.runner.stateDirectory).filter(path => path.endsWith('outside-of-the-worktree'));
    expect(outside).toEqual([]);
  },
);
