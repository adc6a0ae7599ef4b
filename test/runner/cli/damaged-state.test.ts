import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {bootClock, hostBootSources} from '../../../runner/src/executor/boot-clock.ts';
import {identityOf} from '../../../runner/src/executor/process-identity.ts';
import {hostProcesses} from '../../../runner/src/executor/process-table.ts';
import {
  createPrivateFile,
  makePrivateDirectory,
  readStateFile,
  writePrivateFile,
} from '../../../runner/src/services/private-file.ts';
import {stateLayout, type StateLayout} from '../../../runner/src/services/state-layout.ts';
import {tryFileLock} from '../../../runner/src/state/file-lock.ts';
import {acquireStateLock} from '../../../runner/src/state/state-lock.ts';
import {stateRefusal} from '../../../runner/src/state/state-refusal.ts';
import {lastJson, runCli} from '../../fixtures/cli.ts';

let home = '';
let layout: StateLayout;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-damaged-')));
  layout = stateLayout(join(home, '.switchyard'));
});
afterEach(() => rmSync(home, {recursive: true, force: true}));

/** What can lie in the place of a file. */
const damages = {
  'an empty file': path => writeFileSync(path, '', {mode: 0o600}),
  'the half of a file': path => writeFileSync(path, '{"url":"http', {mode: 0o600}),
  'other JSON': path => writeFileSync(path, '{"wrong":[1]}', {mode: 0o600}),
  'a directory': path => mkdirSync(path),
  'a link to itself': path => symlinkSync(path, path),
  'a FIFO': path => execFileSync('mkfifo', ['-m', '600', path]),
} satisfies Record<string, (path: string) => unknown>;

function damage(path: string, how: (path: string) => unknown): void {
  mkdirSync(dirname(path), {recursive: true, mode: 0o700});
  how(path);
}

/** As if `up` ran: this very process stands for it. */
function writeUpFile(): void {
  const bootId = bootClock(hostBootSources(Date.now)).bootId;
  const self = identityOf(process.pid, {bootId, processes: hostProcesses});
  const up = {...self, url: 'http://127.0.0.1:9', team: 't', pool: 'p', runner: 'r', slots: 1, ready_ms: 1};
  damage(layout.upFile, path => writeFileSync(path, JSON.stringify(up)));
}

/** A command that needs the file before anything else. */
const readers = [
  {name: 'clientFile', command: ['task', 'list']},
  {name: 'statusFile', command: ['status']},
  {name: 'runnerDirectory', command: ['runner', 'start']},
] as const;

describe.for(readers)('$name', ({name, command}) => {
  test.for(Object.entries(damages))(
    '[SD1] %s in its place is a typed error with the path and the next step',
    async ([, how]) => {
      writeUpFile();
      const path = name === 'runnerDirectory' ? join(layout.runnerDirectory, 'identity.json') : layout[name];
      if (name === 'runnerDirectory') mkdirSync(layout.runnerDirectory, {recursive: true, mode: 0o700});
      damage(path, how);
      const {code, stdout, stderr} = await runCli([...command, '--json'], {home});
      expect(code).toBe(1);
      expect(lastJson({stdout})).toMatchObject({
        error: {code: 'state_corrupt', detail: expect.stringContaining(path), hint: expect.stringMatching(/./)},
      });
      expect(stderr).not.toMatch(/at .*:\d+:\d+/);
    },
  );
});

test.for([
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'disk_full'],
  ['EACCES', 'configuration_invalid'],
  ['EROFS', 'configuration_invalid'],
  ['EISDIR', 'state_corrupt'],
  ['EIO', 'state_corrupt'],
])('[SD2] %s is %s, and names the path', ([errno = '', code]) => {
  expect(stateRefusal('/s/x.json', Object.assign(new Error('raw'), {code: errno}))).toMatchObject({
    code,
    detail: expect.stringContaining('/s/x.json'),
  });
});

test('[SD2] SQLite says in its own way that a disk is full', () => {
  const cause = Object.assign(new Error('database or disk is full'), {code: 'ERR_SQLITE_ERROR', errcode: 13});
  expect(stateRefusal('/s/x.lock', cause)).toMatchObject({code: 'disk_full'});
});

// A file system of its own is made by root alone.
test.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')(
  '[SD2] a lock that has no room is a full disk, and none that is damaged',
  () => {
    const disk = join(home, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]);
    try {
      expect(() => writeFileSync(join(disk, 'all'), Buffer.alloc(65_536))).toThrow('ENOSPC');
      const path = join(disk, 'x.lock');
      const refused = {code: 'disk_full', detail: `${path} cannot be written: the disk is full`};
      expect(() => tryFileLock(path)).toThrow(expect.objectContaining(refused));
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  },
);

test.runIf(process.platform === 'linux')(
  '[SD2] a file system that denies the folder it has is asked once, not for ever',
  async () => {
    const path = '/proc/switchyard/state';
    const refused = {code: 'configuration_invalid', detail: expect.stringContaining('/proc/switchyard')};
    await expect(makePrivateDirectory(path)).rejects.toMatchObject(refused);
    await expect(writePrivateFile(`${path}/x.json`, '')).rejects.toMatchObject(refused);
    const self = {pid: process.pid, start: 's', boot_id: 'b'};
    expect(() => acquireStateLock(path, self)).toThrow(expect.objectContaining(refused));
  },
);

test('[SD2] a path through a file, and a file where a directory belongs, are refused by name', async () => {
  const file = join(home, 'file');
  writeFileSync(file, '');
  const refused = {code: 'state_corrupt', detail: expect.stringContaining(file)};
  for (const use of [
    () => makePrivateDirectory(file),
    () => makePrivateDirectory(join(file, 'below')),
    () => writePrivateFile(join(file, 'below'), ''),
    () => createPrivateFile(join(file, 'below'), ''),
    () => readStateFile(join(file, 'below')),
  ])
    await expect(use()).rejects.toMatchObject(refused);
  const self = {pid: process.pid, start: 's', boot_id: 'b'};
  expect(() => acquireStateLock(file, self)).toThrow(expect.objectContaining(refused));
});

test('[SD3] a write that is refused leaves nothing beside the file', async () => {
  const path = join(home, 'taken');
  mkdirSync(path);
  await expect(writePrivateFile(path, 'text')).rejects.toMatchObject({code: 'state_corrupt'});
  expect(await createPrivateFile(path, 'text')).toBe(false);
  expect(readdirSync(home)).toEqual(['taken']);
});

test('[SD4] a lock file that is no lock is named, with what may be done about it', () => {
  const directory = join(home, 'services');
  mkdirSync(join(directory, 'lock.sqlite'), {recursive: true});
  chmodSync(directory, 0o700);
  const self = {pid: process.pid, start: 's', boot_id: 'b'};
  const refused = {
    code: 'state_corrupt',
    detail: expect.stringMatching(/lock\.sqlite cannot be locked: while nothing runs, it may be removed/),
  };
  expect(() => acquireStateLock(directory, self)).toThrow(expect.objectContaining(refused));
  rmSync(join(directory, 'lock.sqlite'), {recursive: true});
  writeFileSync(join(directory, 'lock.sqlite'), 'no database, but long enough to be looked at as one');
  expect(() => acquireStateLock(directory, self)).toThrow(expect.objectContaining(refused));
});
