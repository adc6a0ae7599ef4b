import {execFileSync} from 'node:child_process';
import {mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {readDeadline, writeDeadline} from '../../../runner/src/executor/run-directory.ts';
import {readCursor, startCursor, writeCursor} from '../../../runner/src/logs/log-cursor.ts';
import {LogSpool} from '../../../runner/src/logs/log-spool.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-exposed-'));
  onTestFinished(() => rm(folder, {recursive: true, force: true}));
  return folder;
}

type Plant = (path: string, victim: string) => Promise<void>;

const plants: readonly (readonly [string, Plant])[] = [
  ['a link to a file', async (path, victim) => symlink(victim, path)],
  ['a FIFO', async path => void execFileSync('mkfifo', [path])],
  ['a link to an endless device', async path => symlink('/dev/zero', path)],
];

async function scene(): Promise<{directory: string; victim: string}> {
  const directory = await temporary();
  const victim = join(await temporary(), 'victim');
  await writeFile(victim, 'untouched');
  return {directory, victim};
}

describe.for(plants)('%s, planted by an agent', ([, plant]) => {
  test('[SE6] where the draft of the log cursor goes, is replaced', async () => {
    const {directory, victim} = await scene();
    await plant(join(directory, 'log.cursor.tmp'), victim);
    const cursor = {...startCursor, length: 7};
    await writeCursor(directory, cursor, true);
    expect(await readCursor(directory)).toEqual(cursor);
    expect(await readFile(victim, 'utf8')).toBe('untouched');
  });

  test('[SE6] where the draft of a deadline goes, is replaced', async () => {
    const {directory, victim} = await scene();
    for (let count = 0; count < 40; count += 1)
      await plant(join(directory, `deadline.${process.pid}-${count}.tmp`), victim);
    for (let count = 0; count < 40; count += 1) await writeDeadline(directory, {softMs: count, hardMs: 100});
    expect(await readDeadline(directory)).toEqual({softMs: 39, hardMs: 100});
    expect(await readFile(victim, 'utf8')).toBe('untouched');
  });

  test('[SE6] as the log or its cursor, is not read, and the log is given up', async () => {
    for (const name of ['log', 'log.cursor']) {
      const {directory, victim} = await scene();
      await plant(join(directory, name), victim);
      await expect(LogSpool.open({directory, secrets: new Secrets()})).rejects.toMatchObject({code: 'state_corrupt'});
      expect(await readFile(victim, 'utf8')).toBe('untouched');
    }
  });
});

test('[SE6] a directory where a file belongs is an error, not a wait', async () => {
  const {directory} = await scene();
  await mkdir(join(directory, 'log.cursor.tmp'));
  await expect(writeCursor(directory, startCursor, false)).rejects.toThrow(/EEXIST/);
  await mkdir(join(directory, 'log'));
  await expect(LogSpool.open({directory, secrets: new Secrets()})).rejects.toMatchObject({code: 'state_corrupt'});
});
