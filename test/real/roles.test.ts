import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {promptVersions} from '@switchyard/shared/prompts/prompt.ts';
import {call, chosenBy, say, shell, turn, write, type Turn} from '../fixtures/model-api/scenario.ts';
import {until} from '../fixtures/until.ts';
import {openStage, PATIENCE_MS, type Stage} from './stage.ts';

const block = (value: unknown): string => `\n\n\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
const created = {event: 'pr.created', title: 'Add hello', summary: 'Adds hello.txt.'};
const scores = {correctness: 4, quality: 4, security: 4, tests: 3, docs: 3};
const approved = {event: 'pr.approved', scores, summary: 'Small and right.'};
const commit = shell('git add -A && git commit -qm "Add hello"');

/** What it does first is known when its task is, for it names a file beside it: until then its model does not answer. */
const reads: {moves: Turn['moves']; readonly hold: 'first'} = {moves: [], hold: 'first'};
const readsOn = [reads, turn(say(`I read it all.${block(approved)}`))];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    coding: [
      turn(write('hello.txt', 'hi\n')),
      turn(commit),
      turn(say(`I added the file. Nothing is left to do.${block(created)}`)),
    ],
    corrected: [
      turn(write('hello.txt', 'hi\n')),
      turn(commit),
      turn(say('All is done.')),
      turn(say(`Merged.${block({event: 'pr.merged'})}`)),
      turn(say(`I added the file.${block(created)}`)),
    ],
    wrong: [
      turn(write('hello.txt', 'hi\n')),
      turn(commit),
      ...Array.from({length: 9}, () => turn(say('All is done.'))),
    ],
    escalated: [turn(say(`I stop.${block({event: 'agent.escalation', reason: 'Which of the two shops?'})}`))],
    reviewer: [turn(say(`I read the change.${block(approved)}`))],
    'reads-on': readsOn,
    plain: [turn(write('hello.txt', 'hi\n')), turn(say('All is done.'))],
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const task = (scenario: string, agent: TaskSpecInput['agent'], more: Partial<TaskSpecInput> = {}): TaskSpecInput => ({
  title: 'Greet people',
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude', ...agent},
  ...more,
});

/** What the model was told in the first turn of a conversation. */
const toldIn = (scenario: string): string =>
  stage.api.requests.find(request => request.scenario === scenario && request.turn === 0)?.texts.join('\n') ?? '';

/** A branch of the repository with one commit, and its id. */
async function branch(name: string, readme: string): Promise<{readonly head: string}> {
  const {path} = stage.repository;
  const git = async (...args: string[]) =>
    execa('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args]);
  await git('checkout', '--quiet', '-B', name, 'main');
  writeFileSync(join(path, 'README.md'), readme);
  await git('commit', '--quiet', '--all', '--message', 'Change it');
  const {stdout} = await git('rev-parse', 'HEAD');
  await git('checkout', '--quiet', 'main');
  return {head: stdout};
}

const branches = async (): Promise<string> =>
  (await execa('git', ['-C', stage.repository.path, 'branch', '--list', '--all', 'switchyard/*'])).stdout;

test('[RA80] claude is told the prompt of its role, and its outcome is kept with the task', async () => {
  const brief = {review_feedback: 'The file is missing.', comments: [{author: 'ada', text: 'Please hurry.'}]};
  const id = await stage.submit(task('coding', {type: 'coding'}, {brief}));
  const ended = await stage.bed.finished(id);
  const log = await stage.bed.log(id);
  expect(ended, log).toMatchObject({
    state: 'succeeded',
    result: {
      summary: 'I added the file. Nothing is left to do.',
      role: {prompt: `coding@${promptVersions.coding}`, outcome: created},
      git: {commits: 1, pushed: true},
    },
  });
  const told = toldIn('coding');
  expect(told).toContain('You are the coding agent coding-');
  expect(told).toContain('Mend the change on this branch');
  expect(told).toMatch(/<<<DATA-1-review\nThe file is missing\.\nDATA-1-review>>>/);
  expect(log).toContain(`told coding@${promptVersions.coding}`);
});

test('[RA81] claude is asked again for an outcome that is missing or wrong, and its work is kept when it is right', async () => {
  const id = await stage.submit(task('corrected', {type: 'coding'}));
  const ended = await stage.bed.finished(id);
  expect(ended, await stage.bed.log(id)).toMatchObject({state: 'succeeded', result: {role: {outcome: created}}});
  const told = stage.api.requests.filter(({scenario}) => scenario === 'corrected').flatMap(({texts}) => texts);
  expect(told.some(text => text.includes('holds no block of JSON'))).toBe(true);
  expect(told.some(text => text.includes('"pr.merged" is not one of pr.created'))).toBe(true);
});

test('[RA81] claude that never states its outcome has failed, and nothing of its work is pushed', async () => {
  const id = await stage.submit(task('wrong', {type: 'coding'}));
  const ended = await stage.bed.finished(id);
  expect(ended, await stage.bed.log(id)).toMatchObject({
    state: 'failed',
    failures: [{code: 'outcome_missing'}],
    result: {role: {prompt: `coding@${promptVersions.coding}`, outcome: null}},
  });
  expect(new Set(stage.api.turnsPlayed('wrong')).size).toBe(3 + limits.completionRemindersMax);
  expect(await branches()).not.toContain(id);
});

test('[RA82] a task that claude gives back fails with its reason, for a person', async () => {
  const id = await stage.submit(task('escalated', {type: 'starter'}));
  const ended = await stage.bed.finished(id);
  expect(ended, await stage.bed.log(id)).toMatchObject({
    state: 'failed',
    failures: [{code: 'agent_escalated', detail: 'Which of the two shops?'}],
    result: {role: {outcome: {event: 'agent.escalation'}}},
  });
});

test.for([{driver: 'claude'}, {driver: 'codex', model: 'gpt-5'}] as const)(
  '[RA83] $driver reviews with tools that only read, and needs no change',
  {timeout: 200_000},
  async agent => {
    const {url} = stage.repository;
    const {head} = await branch(`feature-${agent.driver}`, 'hello there\n');
    const repository = {url, base: `feature-${agent.driver}`, against: 'main'};
    const id = await stage.submit(task('reviewer', {type: 'reviewer', ...agent}, {repository}));
    const ended = await stage.bed.finished(id);
    expect(ended, await stage.bed.log(id)).toMatchObject({
      state: 'succeeded',
      // One agent says something about its model before.
      result: {
        summary: expect.stringMatching(/I read the change\.$/),
        role: {prompt: `reviewer@${promptVersions.reviewer}`, outcome: {...approved, commit: head}},
        git: {head_sha: head, commits: 0},
      },
    });
    const told = stage.api.requests.filter(({scenario}) => scenario === 'reviewer').flatMap(({texts}) => texts);
    expect(told.some(text => text.includes(`Commit: ${head}`) && text.includes('+hello there'))).toBe(true);
  },
);

test('[RA85] claude reads on in the file beside it what of a change has no room in its prompt, and cannot write there', async () => {
  const lines = Array.from({length: 9_000}, (_, n) => `line ${n}`).join('\n');
  await branch('long', `${lines}\n`);
  const repository = {url: stage.repository.url, base: 'long'};
  const id = await stage.submit(task('reads-on', {type: 'reviewer'}, {repository}));
  const path = join(stage.bed.folder, 'runner', 'runner', 'runs', `${id}-e1`, 'change.diff');
  reads.moves = [
    call('Write', {file_path: path, content: 'nothing to see'}),
    call('Read', {file_path: path, offset: 8_990, limit: 20}),
  ];
  await until('a request', () => stage.api.turnsPlayed('reads-on').length > 0, PATIENCE_MS);
  stage.api.release();
  const ended = await stage.bed.finished(id);
  expect(ended, await stage.bed.log(id)).toMatchObject({state: 'succeeded', result: {role: {outcome: approved}}});
  expect(toldIn('reads-on')).toContain(`The difference goes on in the file: ${path}`);
  const seen = stage.api.requests.filter(({scenario, turn: n}) => scenario === 'reads-on' && n === 1);
  expect(seen.flatMap(({texts}) => texts).join('\n')).toMatch(/\+line 8990\n/);
});

test('[RA84] without a role claude is told the prompt of the task to the letter, and nothing is asked of it', async () => {
  const id = await stage.submit(task('plain', {}));
  const ended = await stage.bed.finished(id);
  expect(ended, await stage.bed.log(id)).toMatchObject({
    state: 'succeeded',
    result: {summary: 'All is done.', role: null},
  });
  const told = toldIn('plain');
  expect(told).toContain(`Please do the work. ${chosenBy('plain')}`);
  expect(told).not.toContain('You are the coding agent');
});
