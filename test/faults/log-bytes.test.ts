import {execFile} from 'node:child_process';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';
import * as z from 'zod';
import {pinnedNode, repository} from '../fixtures/cli.ts';
import {OwnUp, shownTask} from '../fixtures/own-up.ts';

const own = new OwnUp();
const pieceSchema = z.strictObject({from: z.int(), to: z.int(), text: z.string()});

/** What the command writes, before anybody makes text of it. */
async function bytesOf(...args: readonly string[]): Promise<Buffer> {
  const argv = [join(repository, 'runner/bin/switchyard.mjs'), ...args, '--state', own.state];
  const env = {PATH: process.env['PATH'] ?? '', HOME: own.home};
  return (await promisify(execFile)(pinnedNode, argv, {encoding: 'buffer', env})).stdout;
}

test('[CL7] a log that is no text reaches a pipe byte by byte, followed or not, and a program as JSON', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const command = String.raw`printf 'a\377\376b'`;
  const {id} = shownTask(
    await own.here('task', 'create', 'x', '--agent', 'exec', '--command', command, '--wait', '--json'),
  );
  const followed = await bytesOf('task', 'logs', '-f', id);
  expect(followed.includes(Buffer.from([0x61, 0xff, 0xfe, 0x62]))).toBe(true);
  expect(await bytesOf('task', 'logs', id)).toEqual(followed);
  expect(await bytesOf('task', 'logs', id, '--from', '5')).toEqual(followed.subarray(5));
  expect((await bytesOf('task', 'logs', id, '--from', String(followed.length))).length).toBe(0);

  const lines = String(await bytesOf('task', 'logs', '-f', id, '--json'))
    .trimEnd()
    .split('\n');
  const pieces = lines.map(line => pieceSchema.parse(JSON.parse(line)));
  expect(pieces.map(({from}) => from)).toEqual([0, ...pieces.slice(0, -1).map(({to}) => to)]);
  expect(pieces.at(-1)?.to).toBe(followed.length);
  expect(pieces.map(({text}) => text).join('')).toBe(followed.toString('utf8'));
  cli.child.kill('SIGTERM');
  await cli.exited;
});
