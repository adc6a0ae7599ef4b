import {createHash} from 'node:crypto';
import {appendFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import fc from 'fast-check';
import {afterEach, beforeEach, expect, test} from 'vitest';

import type {AgentStream} from '../../../runner/src/logs/log-merge.ts';
import {pumpStream} from '../../../runner/src/logs/log-pump.ts';
import {LogSpool, pendingBytesMax} from '../../../runner/src/logs/log-spool.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {everyProperty} from '../../property/fuzz-settings.ts';

fc.configureGlobal(everyProperty);

const secret = 'a secret\nof two lines';
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-spool-'));
});

afterEach(async () => {
  await rm(directory, {recursive: true});
});

function open(capBytes?: number, where = directory): Promise<LogSpool> {
  const secrets = new Secrets();
  secrets.add([secret]);
  return LogSpool.open({directory: where, secrets, ...(capBytes === undefined ? {} : {capBytes})});
}

async function append(spool: LogSpool, stream: AgentStream, text: string): Promise<void> {
  expect(await spool.append(stream, Buffer.from(text))).toBe('taken');
}

async function textOf(spool: LogSpool): Promise<string> {
  return Buffer.from(await spool.read(0, spool.length)).toString();
}

async function finish(spool: LogSpool): Promise<{length: number; sha256: string; droppedBytes: number}> {
  const end = await spool.finish();
  if (end === undefined) throw new Error('the disk took nothing');
  return end;
}

test('[LG1] two streams and notes are merged by whole lines', async () => {
  const spool = await open();
  await append(spool, 'out', 'out 1\nout');
  await append(spool, 'err', 'err 1\nerr ');
  expect(await spool.note('prepare\nworktree')).toBe(true);
  await append(spool, 'out', ' 2\n');
  await append(spool, 'err', '2');
  await finish(spool);
  expect(await textOf(spool)).toBe('out 1\nerr 1\n[switchyard] prepare worktree\nout 2\nerr 2');
  await spool.close();
});

test('[LG1] a note never stands in the middle of a line, and is masked', async () => {
  const spool = await open();
  await append(spool, 'out', 'Password: ');
  await spool.flushOpenLine('out');
  await spool.note('uses ghp_0123456789abcdefABCD');
  expect(await textOf(spool)).toBe(`Password: \n[switchyard] uses ghp_${'*'.repeat(20)}\n`);
  await spool.close();
});

test('[LG9] a line that stays open is shown while the stream pauses', async () => {
  const spool = await open();
  const shown = Promise.withResolvers<void>();
  spool.onGrow(() => shown.resolve());
  const source = async function* () {
    yield Buffer.from('Continue? ');
    await shown.promise;
  };
  await pumpStream({spool, stream: 'out', source, signal: AbortSignal.timeout(20_000)});
  expect(await textOf(spool)).toBe('Continue? ');
  await spool.close();
});

/** The lines of one stream in a merged log; every line of the tests begins with the letter of its stream. */
function linesOf(letter: string, log: string): string {
  return log
    .split('\n')
    .filter(line => line.startsWith(letter))
    .join('\n');
}

test('[LG2] [LG3] wherever a process dies, the next one goes on without gap, repeat or leak', async () => {
  const line = fc.constantFrom('plain', 'a secret', 'ghp_0123456789abcdefABCD', 'x'.repeat(100), 'of two lines');
  const raw = fc.record({
    out: fc.array(line, {maxLength: 12}).map(lines => lines.map(text => `o ${text}\n`).join('')),
    err: fc.array(line, {maxLength: 12}).map(lines => lines.map(text => `e ${text}\n`).join('')),
  });
  const life = fc.record({
    steps: fc.array(
      fc.tuple(fc.constantFrom('out' as const, 'err' as const), fc.integer({min: 1, max: 90}), fc.boolean()),
      {maxLength: 6},
    ),
    torn: fc.string({maxLength: 30}),
  });
  await fc.assert(
    fc.asyncProperty(raw, fc.array(life, {maxLength: 4}), async (streams, lives) => {
      const where = await mkdtemp(join(directory, 'run-'));
      let shown = '';
      for (const {steps, torn} of [...lives, {steps: undefined, torn: ''}]) {
        const spool = await open(undefined, where);
        expect((await textOf(spool)).startsWith(shown)).toBe(true);
        const at = {out: spool.readFrom('out'), err: spool.readFrom('err')};
        const rest = [['out', Infinity, false] as const, ['err', Infinity, false] as const];
        for (const [stream, bytes, isPause] of steps ?? rest) {
          await append(spool, stream, streams[stream].slice(at[stream], at[stream] + bytes));
          at[stream] += bytes;
          if (isPause) await spool.flushOpenLine(stream);
        }
        if (steps === undefined) await finish(spool);
        shown = await textOf(spool);
        await spool.close();
        // What a process leaves that dies between the log and the cursor.
        if (steps !== undefined) await appendFile(join(where, 'log'), torn);
      }
      const log = await readFile(join(where, 'log'), 'utf8');
      expect(log.length).toBe(streams.out.length + streams.err.length);
      expect(log).not.toMatch(/a secret|of two|ghp_0/);
    }),
    {numRuns: 60},
  );
});

test('[LG3] a token that was cut by a restart stays masked to its end', async () => {
  // Long enough before it, that the second process does not read everything again.
  const before = 'o line\n'.repeat(10_000);
  const raw = `${before}o ghp_${'b'.repeat(3000)}`;
  let spool = await open();
  await append(spool, 'out', raw.slice(0, before.length + 1500));
  await spool.flushOpenLine('out');
  expect(spool.length).toBe(before.length + 1500);
  await spool.close();
  spool = await open();
  expect(spool.readFrom('out')).toBeGreaterThan(0);
  await append(spool, 'out', raw.slice(spool.readFrom('out')));
  await finish(spool);
  expect(await textOf(spool)).toBe(`${before}o ghp_${'*'.repeat(3000)}`);
  await spool.close();
});

test('[LG2] each stream keeps its lines and their order over restarts', async () => {
  const lines = Array.from({length: 200}, (_, index) => `${index}`);
  const raw = {out: lines.map(text => `o ${text}\n`).join(''), err: lines.map(text => `e ${text}\n`).join('')};
  for (let round = 0; round < 10; round++) {
    const spool = await open();
    for (const stream of ['out', 'err'] as const) {
      const from = spool.readFrom(stream);
      await append(spool, stream, raw[stream].slice(from, (round + 1) * 90));
    }
    await spool.close();
  }
  const spool = await open();
  for (const stream of ['out', 'err'] as const) await append(spool, stream, raw[stream].slice(spool.readFrom(stream)));
  await finish(spool);
  const log = await textOf(spool);
  expect(`${linesOf('o', log)}\n`).toBe(raw.out);
  expect(`${linesOf('e', log)}\n`).toBe(raw.err);
  await spool.close();
});

test('[LG4] past the cap output is dropped, and the log says when and how many bytes', async () => {
  let spool = await open(1000);
  await append(spool, 'out', `${'a'.repeat(98)}\n`.repeat(8));
  await append(spool, 'out', `${'b'.repeat(299)}\n`);
  // The count goes on over a restart.
  await spool.close();
  spool = await open(1000);
  await append(spool, 'out', (`${'a'.repeat(98)}\n`.repeat(8) + `${'b'.repeat(299)}\n`).slice(spool.readFrom('out')));
  await append(spool, 'err', `${'c'.repeat(499)}\n`);
  const end = await finish(spool);
  expect(end.droppedBytes).toBe(792 + 300 + 500 - 1000);
  const log = await textOf(spool);
  expect(log.slice(0, 1000)).toBe(`${'a'.repeat(98)}\n`.repeat(8) + 'b'.repeat(208));
  expect(log.slice(1000)).toBe(
    '\n[switchyard] the log has reached its limit of 1000 bytes: output from here on is dropped\n' +
      '[switchyard] 592 bytes of output were dropped: the log holds at most 1000 bytes of it\n',
  );
  expect(await finish(spool)).toEqual(end);
  await spool.close();
});

const blocked = join('.', 'log.cursor.tmp');

test('[LG5] a disk that takes nothing loses nothing, stops nobody and heals', async () => {
  const spool = await open();
  await append(spool, 'out', 'o before\n');
  const lengths: number[] = [];
  spool.onGrow(length => lengths.push(length));
  await mkdir(join(directory, blocked));
  const line = `o ${'x'.repeat(1021)}\n`;
  let taken = 0;
  while ((await spool.append('out', Buffer.from(line.repeat(64)))) === 'taken') taken += 64;
  expect(spool.health.kind).toBe('failing');
  expect(taken * line.length).toBeGreaterThanOrEqual(pendingBytesMax);
  expect(taken * line.length).toBeLessThanOrEqual(2 * pendingBytesMax);
  expect([spool.length, lengths]).toEqual(['o before\n'.length, []]);
  expect(await spool.finish()).toBeUndefined();
  expect(await spool.finish()).toBeUndefined();
  await rm(join(directory, blocked), {recursive: true});
  const end = await finish(spool);
  expect(spool.health).toEqual({kind: 'ok'});
  expect(await textOf(spool)).toBe(`o before\n${line.repeat(taken)}`);
  expect(lengths).toEqual([end.length]);
  await spool.close();
});

test('[LG5] a pump waits for a full disk and goes on by itself', async () => {
  const spool = await open();
  await mkdir(join(directory, blocked));
  const grown = Promise.withResolvers<void>();
  const source = async function* () {
    yield Buffer.from('o 1\n');
    // The source pauses; only the pump's own retry can bring the line to the log.
    await rm(join(directory, blocked), {recursive: true});
    await grown.promise;
  };
  spool.onGrow(() => grown.resolve());
  await pumpStream({spool, stream: 'out', source, signal: AbortSignal.timeout(20_000)});
  expect(await textOf(spool)).toBe('o 1\n');
  await spool.close();
});

test('[LG6] a finished log takes nothing more, and keeps its length and hash over a restart', async () => {
  let spool = await open();
  await append(spool, 'out', 'o 1\n');
  const end = await finish(spool);
  expect(end.sha256).toBe(createHash('sha256').update('o 1\n').digest('hex'));
  for (const again of [spool, await open()]) {
    expect(await again.append('out', Buffer.from('o 2\n'))).toBe('finished');
    expect(await again.note('late')).toBe(false);
    expect(await finish(again)).toEqual(end);
    spool = again;
    await spool.close();
  }
});

test('[LG7] a log with less than was shown, and a cursor that is none, are refused', async () => {
  const spool = await open();
  await append(spool, 'out', 'o 1\n');
  await spool.close();
  expect((await stat(join(directory, 'log'))).mode & 0o777).toBe(0o600);
  await truncate(join(directory, 'log'), 2);
  await expect(open()).rejects.toMatchObject({code: 'state_corrupt'});
  await writeFile(join(directory, 'log.cursor'), '{"v":1');
  await expect(open()).rejects.toMatchObject({code: 'state_corrupt'});
});
