import {mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import * as z from 'zod';
import {importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {startControlPlane, type ControlPlane} from '../../../runner/src/services/control-plane.ts';
import {localPool} from '../../../runner/src/services/local-pool.ts';
import {stateLayout} from '../../../runner/src/services/state-layout.ts';
import {lastJson, repository, runCli, type CliResult} from '../../fixtures/cli.ts';
import {keptPort} from '../../fixtures/kept-port.ts';

let home = '';
let plane: ControlPlane | undefined;
let secret = '';

beforeAll(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-pool-')));
  const layout = stateLayout(join(home, '.switchyard'));
  plane = await startControlPlane({
    repository,
    directory: layout.controlPlaneDirectory,
    host: '127.0.0.1',
    port: await keptPort(),
    onLine: () => undefined,
  });
  await localPool(layout, plane.url);
  ({secret} = z.looseObject({secret: z.string()}).parse(JSON.parse(readFileSync(layout.secretFile, 'utf8'))));
});
afterAll(async () => {
  await plane?.stop();
  rmSync(home, {recursive: true, force: true, maxRetries: 5});
});

const cli = async (args: readonly string[], {input = '', env = {}} = {}): Promise<CliResult> =>
  runCli(args, {home, input, env});
const idSchema = z.object({id: z.string()});
const pageSchema = z.object({tasks: z.array(idSchema), next: z.string().nullable()});

test('[CL22] the pool is shown, paused, limited and resumed, and a task says that it waits for that', async () => {
  expect((await cli(['pool', 'show'])).stdout).toMatch(/^POOL +STATE .*\ndefault +open +0 of 0 connected .*\n\nTASKS/);
  expect(lastJson(await cli(['pool', 'pause', '--json']))).toMatchObject({settings: {paused: true}});
  const {id} = idSchema.parse(lastJson(await cli(['task', 'create', 'say: hello', '--json'])));
  const shown = await cli(['task', 'show', id]);
  expect(shown.stdout).toContain('place      1 in the queue');
  expect(shown.stdout).toContain('waits for  the pool is paused');
  const set = await cli(['pool', 'set', '--max-concurrent', '3', '--stop-on-failure', '--json']);
  expect(lastJson(set)).toMatchObject({settings: {paused: true, stop_on_failure: true, max_concurrent: 3}});
  const free = await cli(['pool', 'set', '--max-concurrent', 'none', '--no-stop-on-failure', '--json']);
  expect(lastJson(free)).toMatchObject({settings: {paused: true, stop_on_failure: false, max_concurrent: null}});
  const queues = lastJson(await cli(['pool', 'queues', '--json']));
  expect(queues).toMatchObject({
    queues: [
      {topic: 'queue:default:high', waiting: 0, next: null},
      {topic: 'queue:default:normal', waiting: 1, next: expect.stringMatching(/^tsk_/)},
    ],
  });
  expect((await cli(['pool', 'queues'])).stdout).toMatch(/queue:default:normal +1 +tsk_/);
  expect(lastJson(await cli(['pool', 'resume', '--json']))).toMatchObject({settings: {paused: false, latched: false}});
  expect((await cli(['task', 'show', id])).stdout).toContain('waits for  no runner is enrolled in this pool');
});

test('[CL23] a token works with its scope until it is revoked, and only its secret is on standard output', async () => {
  const made = await cli(['token', 'create', 'reader', '--scope', 'read']);
  expect(made.stdout).toMatch(/^swy_default_\S+\n$/);
  const token = made.stdout.trim();
  expect(made.stderr).not.toContain(token);
  const env = {SWITCHYARD_TOKEN: token};
  expect((await cli(['task', 'list'], {env})).code).toBe(0);
  expect(lastJson(await cli(['pool', 'pause', '--json'], {env}))).toMatchObject({error: {code: 'forbidden'}});
  const list = await cli(['token', 'list']);
  const [, id = ''] = /^(\S+) +token +read .* reader$/m.exec(list.stdout) ?? [];
  expect(made.stderr).toContain(`switchyard token revoke ${id}`);
  expect(list.stdout).not.toContain(token);
  expect(await cli(['token', 'revoke', id])).toMatchObject({code: 0, stdout: `${id} is revoked\n`});
  expect(lastJson(await cli(['task', 'list', '--json'], {env}))).toMatchObject({error: {code: 'unauthorized'}});
  expect((await cli(['token', 'list'])).stdout).not.toContain('reader');
});

test('[CL23] a signing key is registered; the id that requests name is told, and the secret of HMAC printed alone', async () => {
  const hmac = await cli(['token', 'create', 'hook', '--kind', 'hmac']);
  expect(hmac.stdout).toMatch(/^whsec_\S+\n$/);
  expect(hmac.stderr).toMatch(/^ {2}swk_default_\S+_hmac_\S+$/m);
  const key = 'ab'.repeat(32);
  const ed25519 = await cli(['token', 'create', 'laptop', '--kind', 'ed25519', '--public-key', key]);
  expect(ed25519.stdout).toMatch(new RegExp(`^swk_default_\\S+_${key}_\\S+\n$`));
  expect((await cli(['token', 'list'])).stdout).toMatch(/hmac +write .*hook\n.*ed25519 +write .*laptop\n$/);
});

test('[CL24] the history of a task is printed as a whole, and behind an event on request', async () => {
  const {id} = idSchema.parse(lastJson(await cli(['task', 'create', 'say: hello', '--json'])));
  await cli(['task', 'cancel', id, '--reason', 'not needed']);
  const events = await cli(['task', 'events', id]);
  const kinds = events.stdout.split('\n').map(line => line.split(/ {2,}/)[3]);
  expect(kinds).toEqual(['EVENT', 'task.submitted', 'task.queued', 'task.cancelled', undefined]);
  const all = z.object({events: z.array(z.object({seq: z.int()}))});
  const {events: rest} = all.parse(lastJson(await cli(['task', 'events', id, '--after', '1', '--json'])));
  expect(rest.map(({seq}) => seq)).toEqual([2, 3]);
});

test('[CL24] tasks are found by state and by repository, and a list goes on where one ended', async () => {
  mkdirSync(join(home, 'project'));
  const create = async (): Promise<string> =>
    idSchema.parse(lastJson(await cli(['task', 'create', 'say: hello', '--repo', 'project', '--json']))).id;
  const [first, second] = [await create(), await create()];
  await cli(['task', 'create', 'say: elsewhere']);
  await cli(['task', 'cancel', first]);
  const list = async (...args: readonly string[]) =>
    pageSchema.parse(lastJson(await cli(['task', 'list', '--repo', 'project', '--json', ...args])));
  const ids = ({tasks}: z.infer<typeof pageSchema>): readonly string[] => tasks.map(({id}) => id);
  expect(ids(await list())).toEqual([second, first]);
  expect(ids(await list('--states', 'cancelled,failed'))).toEqual([first]);
  const newest = await list('--limit', '1');
  expect(ids(newest)).toEqual([second]);
  expect(ids(await list('--limit', '1', '--cursor', newest.next ?? ''))).toEqual([first]);
  const table = await cli(['task', 'list', '--repo', 'project', '--limit', '1']);
  expect(table.stdout).toMatch(new RegExp(`^TASK .*\n${second} +queued .*\n$`));
  expect(table.stderr).toContain(`--cursor ${newest.next}`);
});

test('[CL26] the first token of a pool comes from the secret of the installation, and works', async () => {
  const create = ['pool', 'create', '--url', plane?.url ?? '', '--team', 'acme', '--pool', 'second'];
  const made = await cli(create, {input: `${secret}\n`});
  expect(made.stdout).toMatch(/^swy_second_\S+\n$/);
  expect(made.stdout + made.stderr).not.toContain(secret);
  const shown = await cli(['pool', 'show', '--json'], {env: {SWITCHYARD_TOKEN: made.stdout.trim()}});
  expect(lastJson(shown)).toMatchObject({pool: 'second'});
  const other = await cli([...create, '--json'], {input: Buffer.alloc(32, 7).toString('base64')});
  expect([other.code, lastJson(other)]).toMatchObject([1, {error: {code: 'unauthorized'}}]);
  expect((await cli(create, {input: 'c2hvcnQ='})).code).toBe(2);
  const open = ['pool', 'create', '--url', 'http://switchyard.example.com', '--team', 'acme', '--pool', 'second'];
  expect((await cli(open, {input: secret})).stderr).toContain('not https');
});

test('[CL26] generated signing keys are a list that a control plane can import, new each time', async () => {
  const [first, second] = await Promise.all([cli(['keys', 'generate']), cli(['keys', 'generate'])]);
  const keys = z
    .array(z.looseObject({kid: z.string()}))
    .length(1)
    .parse(lastJson(first));
  expect((await importSigningKey(keys[0])).kid).toBe(keys[0]?.kid);
  expect(first.stderr).toContain(keys[0]?.kid);
  expect(second.stdout).not.toBe(first.stdout);
});
