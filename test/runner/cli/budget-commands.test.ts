import {mkdtempSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {startControlPlane, type ControlPlane} from '../../../runner/src/services/control-plane.ts';
import {localPool} from '../../../runner/src/services/local-pool.ts';
import {stateLayout} from '../../../runner/src/services/state-layout.ts';
import {lastJson, repository, runCli, type CliResult} from '../../fixtures/cli.ts';
import {keptPort} from '../../fixtures/kept-port.ts';

let home = '';
let plane: ControlPlane | undefined;

beforeAll(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-budget-')));
  const layout = stateLayout(join(home, '.switchyard'));
  plane = await startControlPlane({
    repository,
    directory: layout.controlPlaneDirectory,
    host: '127.0.0.1',
    port: await keptPort(),
    onLine: () => undefined,
  });
  await localPool(layout, plane.url);
});
afterAll(async () => {
  await plane?.stop();
  rmSync(home, {recursive: true, force: true, maxRetries: 5});
});

const cli = async (...args: readonly string[]): Promise<CliResult> => runCli(args, {home, input: '', env: {}});

test('[BG25] budgets are set, shown, overridden and removed', async () => {
  expect((await cli('budget', 'list')).stderr).toContain('no budget');
  const set = await cli(
    'budget',
    'set',
    'reviews',
    '--period',
    'total',
    '--agent-type',
    'reviewer',
    '--cost',
    '2.5',
    '--json',
  );
  expect(lastJson(set)).toMatchObject({id: 'reviews', agent_type: 'reviewer', limits: {cost_usd: '2.50'}});
  const list = await cli('budget', 'list');
  expect(list.stdout).toMatch(
    /^BUDGET +FOR +PERIOD +SPENT +OF +STATE\nreviews +reviewer +total +0 % +\$0\.00 of \$2\.50 +open\n/,
  );
  const why = ['--for', '4h', '--why', 'release day'];
  const other = await cli('budget', 'override', 'reviews', '--tokens', '5M', ...why);
  expect(other.stdout).toMatch(/0 of 5000000 tokens +open, overridden by switchyard up for [34] h.*: release day/);
  expect((await cli('budget', 'delete', 'reviews')).stdout).toBe('removed the budget reviews\n');
  expect(lastJson(await cli('budget', 'list', '--json'))).toEqual({budgets: []});
});

test('[BG25] a budget is for the repository that tasks of the same path are for', async () => {
  const set = await cli('budget', 'set', 'here', '--period', 'day', '--turns', '5', '--repo', home, '--json');
  expect(lastJson(set)).toMatchObject({repository: pathToFileURL(home).href});
  await cli('budget', 'delete', 'here');
});

test('[BG38] a total is shared out between subscription and keys, in percent', async () => {
  const total = ['--period', 'week', '--tokens', '10M', '--json'];
  const plan = await cli('budget', 'set', 'plan', '--source', 'subscription', '--percent', '80', ...total);
  expect(lastJson(plan)).toMatchObject({source: 'subscription', limits: {tokens: 8_000_000}});
  const keys = await cli('budget', 'set', 'keys', '--source', 'api', '--percent', '20', ...total);
  expect(lastJson(keys)).toMatchObject({source: 'api', limits: {tokens: 2_000_000}, agent_type: null});
  expect((await cli('budget', 'list')).stdout).toMatch(/^plan +subscription +week +0 % +0 of 8000000 tokens/m);
  for (const name of ['plan', 'keys']) await cli('budget', 'delete', name);
});

test('[BG22] costs are shown by task, type of agent, repository, source and day, for people and as JSON', async () => {
  for (const by of ['task', 'type', 'repository', 'source', 'day']) {
    expect(lastJson(await cli('costs', '--by', by, '--json'))).toMatchObject({by, costs: [], total: {turns: 0}});
    expect((await cli('costs', '--by', by)).stdout).toMatch(new RegExp(`^${by.toUpperCase()} +COST `));
  }
});

test('[BG25] costs are shown with their sum', async () => {
  expect((await cli('costs', '--by', 'task')).stdout).toMatch(
    /^TASK +COST +TOKENS IN +OUT +TURNS +ATTEMPTS\ntotal +\$0\.00 /,
  );
  expect(lastJson(await cli('costs', '--json'))).toMatchObject({by: 'day', costs: [], total: {attempts: 0}});
});

test.for([
  {args: ['budget', 'set', 'x1', '--period', 'day'], says: 'name a limit'},
  {args: ['budget', 'set', 'x1', '--period', 'year', '--cost', '1'], says: '--period'},
  {args: ['budget', 'set', 'x1', '--period', 'day', '--cost', 'much'], says: '--cost'},
  {args: ['budget', 'set', 'x1', '--period', 'day', '--agent-type', 'painter', '--turns', '1'], says: '--agent-type'},
  {args: ['budget', 'set', 'x1', '--period', 'day', '--turns', '1', '--repo', '/nowhere'], says: '--repo'},
  {args: ['budget', 'set', 'x1', '--period', 'day', '--turns', '1', '--source', 'gold'], says: '--source'},
  {args: ['budget', 'set', 'x1', '--period', 'day', '--turns', '1', '--percent', '101'], says: '--percent'},
  {args: ['budget', 'override', 'x1', '--cost', '1', '--for', 'ever', '--why', 'x'], says: '--for'},
  {args: ['costs', '--by', 'mood'], says: '--by'},
  {args: ['approvals', 'grant', `apr_${'0'.repeat(26)}`, '--for', '1h'], says: 'name a limit'},
  {args: ['approvals', 'grant', `apr_${'0'.repeat(26)}`, '--turns', '5'], says: '--for'},
  {args: ['approvals', 'deny', 'all'], says: 'no id of an approval'},
])('[BG25] $args is a wrong call', async ({args, says}) => {
  const {code, stderr} = await cli(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(says);
});
