import {readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptKey, newAttempt} from '../../../runner/src/attempt/attempt-state.ts';
import {openJournal, type JournalChange, type JournalOptions} from '../../../runner/src/state/journal.ts';
import {config, specOf, taskA, taskB} from '../../unit/attempt/attempt-scene.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'switchyard-journal-'));
});
afterEach(async () => {
  await rm(directory, {recursive: true, force: true});
});

const options = (more: Partial<JournalOptions> = {}): JournalOptions => ({
  directory,
  bootId: 'boot-a',
  wallMs: Date.parse('2026-11-20T10:00:00Z'),
  ...more,
});
const nothing: JournalChange = {save: [], remove: [], epochs: [], forgetEpochs: []};
const attempt = newAttempt({task: taskA, epoch: 1, spec: specOf(), branch: 'b'});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof SwitchyardError ? error.code : String(error);
  }
  return 'no error';
}

test('[JR1] What was written is there after a restart, with the order of the epochs', () => {
  const journal = openJournal(options());
  journal.write({
    ...nothing,
    save: [attempt],
    config,
    epochs: [
      {task: taskA, epoch: 1},
      {task: taskB, epoch: 4},
    ],
  });
  journal.write({...nothing, epochs: [{task: taskA, epoch: 2}], save: [{...attempt, state: 'running'}]});
  journal.close();
  const again = openJournal(options());
  expect([...again.content.maxEpochs]).toEqual([
    [taskB, 4],
    [taskA, 2],
  ]);
  expect(again.content.attempts.get(attemptKey(attempt))).toEqual({...attempt, state: 'running'});
  expect(again.content).toMatchObject({config, sameBoot: true, openings: 2});
  again.write({...nothing, remove: [attempt], forgetEpochs: [taskB]});
  again.close();
  const last = openJournal(options());
  expect(last.content.attempts.size).toBe(0);
  expect([...last.content.maxEpochs.keys()]).toEqual([taskA]);
  last.close();
});

test('[JR7] After a reboot the journal says that its times mean nothing', () => {
  openJournal(options()).close();
  const journal = openJournal(options({bootId: 'boot-b'}));
  expect(journal.content.sameBoot).toBe(false);
  journal.close();
});

test('[JR7] a process that dies before it has dropped the times of an earlier boot leaves them as such to the next', () => {
  const first = openJournal(options());
  first.write({...nothing, save: [attempt]});
  first.close();
  openJournal(options({bootId: 'boot-b'})).close();
  const next = openJournal(options({bootId: 'boot-b'}));
  expect(next.content.sameBoot).toBe(false);
  next.write({...nothing, save: [attempt]});
  next.close();
  const last = openJournal(options({bootId: 'boot-b'}));
  expect(last.content.sameBoot).toBe(true);
  last.close();
});

test.for([
  [
    'bytes that are no database',
    (path: string) => writeFileSync(path, 'not a database, and longer than its header'.repeat(40)),
  ],
  [
    'a page that was overwritten',
    (path: string) => {
      const bytes = readFileSync(path);
      bytes.fill(0xff, 4096, 4096 + 2_000);
      writeFileSync(path, bytes);
    },
  ],
] as const)('[JR2] Damage is moved aside and reported at every start until its loss is accepted: %s', ([, damage]) => {
  const journal = openJournal(options());
  journal.write({...nothing, save: [attempt], epochs: [{task: taskA, epoch: 1}]});
  journal.close();
  damage(join(directory, 'journal.sqlite'));
  expect(codeOf(() => openJournal(options()))).toBe('state_corrupt');
  expect(readdirSync(directory)).toContain('journal.sqlite.corrupt-2026-11-20T10-00-00-000Z');
  expect(codeOf(() => openJournal(options()))).toBe('state_corrupt');
  const accepted = openJournal(options({acceptStateLoss: true}));
  expect(accepted.content.maxEpochs.size).toBe(0);
  accepted.close();
  openJournal(options()).close();
});

test('[JR2] A row that this version cannot read is reported, not skipped', () => {
  openJournal(options()).close();
  const raw = new DatabaseSync(join(directory, 'journal.sqlite'));
  raw.exec(`INSERT INTO attempt VALUES ('${taskA}', 1, 'running', '{"state":"unheard-of"}')`);
  raw.close();
  expect(codeOf(() => openJournal(options()))).toBe('state_corrupt');
  expect(codeOf(() => openJournal(options()))).toBe('state_corrupt');
  const accepted = openJournal(options({acceptStateLoss: true}));
  expect(accepted.content.attempts.size).toBe(0);
  accepted.close();
});

test('[JR3] A journal that is missing although one was made is reported', () => {
  openJournal(options()).close();
  for (const name of readdirSync(directory)) if (name.startsWith('journal.sqlite')) rmSync(join(directory, name));
  expect(codeOf(() => openJournal(options()))).toBe('state_corrupt');
  openJournal(options({acceptStateLoss: true})).close();
});

test('[JR5] A change is written whole or not at all', () => {
  const journal = openJournal(options());
  const broken = {...attempt, task: taskB, spec: {...attempt.spec, toJSON: () => expect.fail('cannot be written')}};
  expect(() => journal.write({...nothing, save: [attempt, broken], epochs: [{task: taskA, epoch: 9}]})).toThrow(
    'cannot be written',
  );
  journal.write(nothing);
  journal.close();
  const again = openJournal(options());
  expect(again.content.attempts.size).toBe(0);
  expect(again.content.maxEpochs.size).toBe(0);
  again.close();
});

test('[JR6] A journal of a newer version is refused and left as it is', () => {
  openJournal(options()).close();
  const path = join(directory, 'journal.sqlite');
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  expect(codeOf(() => openJournal(options({acceptStateLoss: true})))).toBe('configuration_invalid');
  expect(readdirSync(directory).some(name => name.includes('corrupt'))).toBe(false);
});
