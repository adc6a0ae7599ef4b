import {createHash} from 'node:crypto';
import {appendFile, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';
import {afterEach, beforeEach, expect, test} from 'vitest';

import {TaskLogServer} from '../runner/logs/task-log-server.ts';

const script = join(import.meta.dirname, '..', 'runner', 'logs', 'spool-process.ts');
let directory: string;
let server: TaskLogServer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-crash-'));
  server = await TaskLogServer.start();
});

afterEach(async () => {
  await server.stop();
  await rm(directory, {recursive: true});
});

test('[LG17] killed again and again in the middle, the runner delivers every byte once and no secret', async () => {
  const rounds = 8;
  const linesPerRound = 1500;
  const raw = {out: '', err: ''};
  for (const stream of ['out', 'err'] as const) await writeFile(join(directory, stream), '');
  for (let round = 0; round < rounds; round++) {
    const child = execa(process.execPath, [script, directory, 'upload', server.url], {
      reject: false,
      timeout: 60_000,
    });
    const before = server.bytes.length;
    let added = 0;
    // In pieces that do not end with a line, while the other process reads.
    for (let line = 0; line < linesPerRound; line += 100) {
      for (const stream of ['out', 'err'] as const) {
        const numbers = Array.from({length: 100}, (_, index) => round * linesPerRound + line + index);
        const text = numbers.map(number => `${stream} ${number} very secret value ghp_0123456789abcdefABCD\n`).join('');
        raw[stream] += text;
        added += text.length;
        await appendFile(join(directory, stream), text.slice(0, 777));
        await appendFile(join(directory, stream), text.slice(777));
      }
    }
    // Somewhere in the middle, each time at another point.
    await server.until(() => server.bytes.length >= before + (added * (round + 1)) / (rounds + 2));
    child.kill('SIGKILL');
    expect((await child).signal).toBe('SIGKILL');
  }
  await writeFile(join(directory, 'exit'), '0');
  const last = await execa(process.execPath, [script, directory, 'upload', server.url], {timeout: 60_000});
  expect(JSON.parse(last.stdout)).toMatchObject({kind: 'sealed', len: raw.out.length + raw.err.length});
  const local = await readFile(join(directory, 'log'));
  expect(createHash('sha256').update(server.bytes).digest('hex')).toBe(
    createHash('sha256').update(local).digest('hex'),
  );
  for (const stream of ['out', 'err'] as const) {
    const lines = server.bytes
      .toString()
      .split('\n')
      .filter(line => line.startsWith(stream));
    const masked = raw[stream]
      .replaceAll('very secret value', '*'.repeat(17))
      .replaceAll(/(?<=ghp_)\w+/g, '*'.repeat(20));
    expect(`${lines.join('\n')}\n` === masked).toBe(true);
  }
});

test('[LG8] a flood of a hundred megabytes is spooled in bounded memory', async () => {
  const peak = async (bytes: number): Promise<number> => {
    const where = await mkdtemp(join(directory, 'flood-'));
    const {stdout} = await execa(process.execPath, [script, where, 'flood', String(bytes)], {timeout: 150_000});
    const {length, maxRssKib} = JSON.parse(stdout);
    expect(length).toBeGreaterThanOrEqual(bytes);
    return maxRssKib;
  };
  const small = await peak(1_000_000);
  expect((await peak(100_000_000)) - small).toBeLessThan(100 * 1024);
});
