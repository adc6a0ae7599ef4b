import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, openSync, closeSync, realpathSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {once} from 'node:events';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {lastJson, pinnedNode, processesOf, repository, runCli} from '../../fixtures/cli.ts';

let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-impatience-')));
});
afterEach(() => rmSync(home, {recursive: true, force: true}));

const state = (): string => join(home, 'state');

test('[IP2] up -d on a port that is taken says so, as up does', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const {code, stdout} = await runCli(['up', '-d', '--json', '--port', String(port), '--state', state()], {home});
  server.close();
  expect(code).toBe(1);
  expect(lastJson({stdout})).toMatchObject({
    error: {code: 'port_taken', detail: expect.stringContaining(String(port)), hint: expect.stringMatching(/./)},
  });
  expect(processesOf(state())).toEqual([]);
});

test.skipIf(!existsSync('/dev/full'))(
  '[IP3] a full disk under the output is exit code 1, a closed pipe is none',
  () => {
    const entry = join(repository, 'runner/bin/switchyard.mjs');
    const env = {PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home};
    const full = openSync('/dev/full', 'w');
    const lost = spawnSync(pinnedNode, [entry, 'help'], {env, stdio: ['ignore', full, 'pipe'], encoding: 'utf8'});
    closeSync(full);
    expect(lost).toMatchObject({status: 1, stderr: expect.stringContaining('the output could not be written')});
    const piped = `"$1" "$2" help | head -1; echo "$?"`;
    const gone = spawnSync('/bin/sh', ['-c', piped, 'sh', pinnedNode, entry], {env, encoding: 'utf8'});
    expect(gone).toMatchObject({stdout: expect.stringMatching(/^Usage: .*\n0\n$/), stderr: ''});
  },
);

/** Makes a directory in which nothing can be made, for root neither; answers how to open it again. */
function closeDirectory(path: string): () => void {
  mkdirSync(path, {mode: 0o500});
  if (process.getuid?.() !== 0) return () => undefined;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', path]);
  return () => void execFileSync('umount', ['-l', path]);
}

test('[IP5] doctor names a state directory that cannot be made, and up says so', async () => {
  const root = join(home, 'closed', 'state');
  const open = closeDirectory(join(home, 'closed'));
  const [doctor, up] = [
    await runCli(['doctor', '--json', '--state', root], {home}),
    await runCli(['up', '--no-first-task', '--json', '--state', root], {home}),
  ];
  open();
  expect([doctor.code, up.code]).toEqual([1, 1]);
  const refused = expect.objectContaining({name: 'state', level: 'fail', detail: expect.stringContaining(root)});
  expect(lastJson(doctor)).toMatchObject({findings: expect.arrayContaining([refused])});
  expect(lastJson(up)).toMatchObject({
    error: {
      code: 'configuration_invalid',
      detail: expect.stringMatching(/closed.*choose another directory with --state/),
    },
  });
});
