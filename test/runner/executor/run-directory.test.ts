import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {appendFile, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {describe, expect, onTestFinished, test} from 'vitest';
import {tailFile, TAIL_CHUNK_BYTES_MAX} from '../../../runner/src/executor/file-tail.ts';
import {isAlive} from '../../../runner/src/executor/process-identity.ts';
import {
  createRunDirectory,
  parseShimIdentity,
  readAgentIdentity,
  readDeadline,
  readExit,
  readKilled,
  readMeta,
  readRunFile,
  readShimIdentity,
  writeDeadline,
  writeKilled,
  writeRunFile,
} from '../../../runner/src/executor/run-directory.ts';
import {readAll, untilState} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, hostPlace, machine} from './host-harness.ts';

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-run-'));
  onTestFinished(() => rm(folder, {recursive: true, force: true}));
  return folder;
}

describe('run directories', () => {
  test('[RD1] all in it is for its owner alone, and making it again keeps what is there', async () => {
    const runDir = join(await temporary(), 'a-e1');
    await createRunDirectory(runDir);
    await appendFile(join(runDir, 'out'), 'kept');
    await createRunDirectory(runDir);
    const modes = await Promise.all(
      ['.', ...(await readdir(runDir))].map(async name => [
        name,
        ((await stat(join(runDir, name))).mode & 0o777).toString(8),
      ]),
    );
    expect(Object.fromEntries(modes)).toEqual({'.': '700', home: '700', tmp: '700', in: '600', out: '600', err: '600'});
    expect((await stat(join(runDir, 'in'))).isFIFO()).toBe(true);
    expect(await readFile(join(runDir, 'out'), 'utf8')).toBe('kept');
  });

  test('[RD2] a reader sees the old deadline or the new one, never a part', async () => {
    const runDir = await temporary();
    await writeDeadline(runDir, {softMs: 0, hardMs: 0});
    let isDone = false;
    const reader = (async () => {
      const seen: unknown[] = [];
      while (!isDone) seen.push(await readDeadline(runDir));
      return seen;
    })();
    await Promise.all(
      Array.from({length: 200}, (_, ms) => writeDeadline(runDir, {softMs: ms, hardMs: ms * 1_000_000})),
    );
    isDone = true;
    const seen = await reader;
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).not.toContain(undefined);
    expect(await readdir(runDir)).toEqual(['deadline']);
  });

  const good = '12 34 7a7e5b59-d376 group\n';
  test.for([
    '',
    '12',
    good.trimEnd(),
    `${good}x`,
    '1 34 7a7e5b59-d376 group\n',
    '0 34 7a7e5b59-d376 group\n',
    '-1 34 7a7e5b59-d376 group\n',
    '12 34 7a7e5b59-d376 other\n',
    '99999999999 34 7a7e5b59-d376 group\n',
    `12 ${'9'.repeat(100)} 7a7e5b59-d376 group\n`,
  ])('[RD3] the identity %j counts as absent', text => {
    expect(parseShimIdentity(good)).toEqual({pid: 12, started: '34', bootId: '7a7e5b59-d376', heldBy: 'group'});
    expect(parseShimIdentity(text)).toBeUndefined();
  });

  test('[RD3] a link, a FIFO, a folder and an oversized file count as absent', async () => {
    const runDir = await temporary();
    await writeFile(join(runDir, 'secret'), '7 100\n');
    await symlink('secret', join(runDir, 'exit'));
    expect(await readExit(runDir)).toBeUndefined();
    execFileSync('mkfifo', [join(runDir, 'killed')]);
    expect(await readKilled(runDir)).toBeUndefined();
    await mkdir(join(runDir, 'pid'));
    expect(await readShimIdentity(runDir)).toBeUndefined();
    await writeFile(join(runDir, 'meta.json'), `{"version":1${' '.repeat(20_000)}}`);
    expect(await readMeta(runDir)).toBeUndefined();
    await writeFile(join(runDir, 'deadline'), '1 2 3\n');
    expect(await readDeadline(runDir)).toBeUndefined();
    await writeRunFile(runDir, 'exit', '7 100            \n');
    expect(await readExit(runDir)).toEqual({code: 7, atBootMs: 100});
    await writeRunFile(runDir, 'exit', '255 100\n');
    expect(await readExit(runDir)).toMatchObject({code: 255});
    for (const code of ['256', '999']) {
      await writeRunFile(runDir, 'exit', `${code} 100\n`);
      expect(await readExit(runDir)).toBeUndefined();
    }
    await writeRunFile(runDir, 'exit', '7 100\n');
    expect(await readFile(join(runDir, 'secret'), 'utf8')).toBe('7 100\n');
    await expect(writeKilled(runDir, 'two words', 1)).rejects.toMatchObject({code: 'invalid_request'});
  });

  test('[RD7] meta.json names what to adopt, and neither environment nor arguments', async () => {
    await using place = await hostPlace({cgroupBase});
    const {plan, runDir} = place.attempt(agent('prints', '0', 'an-argument'), {env: {TOKEN: 'canary-77'}});
    await place.executor.launch(plan, runDir);
    await readAll(place.executor, runDir);
    expect(await readMeta(runDir)).toMatchObject({
      ...plan.attempt,
      executor: 'host',
      cwd: place.worktree,
      channels: 'separate',
    });
    for (const name of (await readdir(runDir)).filter(file => !['in', 'home', 'tmp', 'claim'].includes(file)))
      expect(await readRunFile(runDir, name)).not.toMatch(/canary-77|an-argument/);
  });
});

/** A file system of one megabyte; only root may mount one. */
async function smallDisk(): Promise<string> {
  const folder = await temporary();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', folder]);
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return folder;
}

describe.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'with a full disk (skipped unless root may mount)',
  () => {
    test('[RD4] the end of the agent is recorded', async () => {
      await using place = await hostPlace({cgroupBase, parent: await smallDisk()});
      const {plan, runDir} = place.attempt(agent('fills-disk'));
      await place.executor.launch(plan, runDir);
      await untilState(place.executor, runDir, 'exited');
      expect(await place.executor.status(runDir)).toMatchObject({code: 7});
      await expect(writeRunFile(runDir, 'deadline', 'x'.repeat(5_000))).rejects.toMatchObject({code: 'disk_full'});
    });

    test('[RD5] an end that cannot be recorded is tried until there is room', async () => {
      await using place = await hostPlace({cgroupBase, parent: await smallDisk()});
      const {plan, runDir} = place.attempt(agent('fills-disk', 'unlink'));
      await place.executor.launch(plan, runDir);
      await expect.poll(() => readAgentIdentity(runDir)).toBeDefined();
      const identity = await readAgentIdentity(runDir);
      await expect.poll(() => identity !== undefined && isAlive(identity, machine)).toBe(false);
      expect(await place.executor.status(runDir)).toMatchObject({state: 'running'});
      expect(await readdir(runDir)).not.toContain('exit');
      const filler = join(runDir, 'home', 'filler');
      await truncate(filler);
      await untilState(place.executor, runDir, 'exited');
      expect(await place.executor.status(runDir)).toMatchObject({code: 7});
    });

    test('[RD6] an agent whose identity cannot be written is not started, and can be later', async () => {
      const disk = await smallDisk();
      await using place = await hostPlace({parent: disk});
      const {plan, runDir} = place.attempt(agent('prints'));
      await createRunDirectory(runDir);
      await writeDeadline(runDir, plan.deadline);
      await writeFile(join(disk, 'filler'), Buffer.alloc(2_000_000)).catch(() => undefined);
      await expect(place.executor.launch(plan, runDir)).rejects.toMatchObject({code: 'disk_full'});
      const shim = fileURLToPath(new URL('../../../runner/src/executor/shim.sh', import.meta.url));
      const args = [
        shim,
        'start',
        runDir,
        '',
        'a.e1',
        place.worktree,
        '/usr/bin:/bin',
        '/dev/null',
        'err',
        ...plan.argv,
      ];
      expect(await once(spawn('/bin/sh', args, {detached: true, stdio: 'ignore'}), 'exit')).toEqual([75, null]);
      expect(await place.executor.status(runDir)).toEqual({state: 'absent'});
      await truncate(join(disk, 'filler'));
      await place.executor.launch(plan, runDir);
      expect(await readAll(place.executor, runDir)).toBe('to out\n');
    });
  },
);

describe('logs', () => {
  const never = async (): Promise<boolean> => false;

  test('[RD11] a log that is a link or was cut is refused', async () => {
    const folder = await temporary();
    await writeFile(join(folder, 'secret'), 'secret');
    await symlink('secret', join(folder, 'link'));
    const link = tailFile({path: join(folder, 'link'), offset: 0, isComplete: never});
    await expect(link.next()).rejects.toMatchObject({code: 'state_corrupt'});
    await writeFile(join(folder, 'out'), 'twelve bytes');
    const cut = tailFile({path: join(folder, 'out'), offset: 0, isComplete: never});
    expect((await cut.next()).value).toMatchObject({offset: 0});
    await truncate(join(folder, 'out'), 3);
    await expect(cut.next()).rejects.toMatchObject({code: 'state_corrupt'});
  });

  test('[RD12] a flood comes in pieces of at most 64 KiB, whole', async () => {
    await using place = await hostPlace({cgroupBase});
    const size = 20_000_000;
    const {plan, runDir} = place.attempt(agent('floods', String(size)));
    await place.executor.launch(plan, runDir);
    let [next, largest] = [0, 0];
    for await (const {offset, bytes} of place.executor.tail(runDir, {channel: 'out', offset: 0})) {
      expect(offset).toBe(next);
      next += bytes.byteLength;
      largest = Math.max(largest, bytes.byteLength);
    }
    expect({next, largest}).toEqual({next: size, largest: TAIL_CHUNK_BYTES_MAX});
  });

  test('[RD12] a line is read as soon as it is written, and an offset ahead waits for its byte', async () => {
    const path = join(await temporary(), 'out');
    await writeFile(path, 'abc');
    const tail = tailFile({path, offset: 5, isComplete: never, signal: AbortSignal.timeout(20_000)});
    const first = tail.next();
    await wait(30); // lets the reader reach its wait; the outcome is the same without
    await appendFile(path, 'defgh');
    expect((await first).value).toMatchObject({offset: 5, bytes: Buffer.from('fgh')});
    await tail.return();
  });
});
