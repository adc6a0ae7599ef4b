import {expect, test} from 'vitest';
import * as z from 'zod';
import {lastJson} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';

const own = new OwnUp();
const component = z.object({
  name: z.string(),
  process: z.enum(['alive', 'gone']),
  trouble: z.string().nullable(),
  last_output_ms: z.int().nullable(),
});
const components = async () =>
  z.object({services: z.array(component)}).parse(lastJson(await own.here('status', '--json'))).services;
const findings = async () =>
  z
    .object({findings: z.array(z.object({name: z.string(), level: z.string(), detail: z.string()}))})
    .parse(lastJson(await own.here('doctor', '--json'))).findings;

test('[UP16] each component is looked at: its process, whether it answers, and when it last said something', async () => {
  const startMs = Date.now();
  const up = own.up('--no-first-task');
  await up.says('Ctrl-C stops everything');
  const well = await components();
  expect(well.map(({name, process: is, trouble}) => [name, is, trouble])).toEqual([
    ['control-plane', 'alive', null],
    ['runner', 'alive', null],
  ]);
  const {last_output_ms: lastMs} = well.find(({name}) => name === 'runner') ?? {};
  // File systems keep times less finely than a clock tells them.
  expect(lastMs).toBeGreaterThan(startMs - 2_000);
  expect((await findings()).find(({name}) => name === 'runner')).toMatchObject({level: 'ok'});

  const runner = await own.pidOf('runner');
  process.kill(runner, 'SIGSTOP');
  const frozen = (await components()).find(({name}) => name === 'runner');
  expect(frozen).toMatchObject({process: 'alive', trouble: expect.stringContaining('does not answer in time')});
  process.kill(runner, 'SIGCONT');
  up.child.kill('SIGINT');
  await up.exited;
});
