import {expect, test} from 'vitest';
import {parseProcUse, parsePsUse, resourceUse} from '../../../runner/src/executor/resource-use.ts';
import {cgroupBase, hostPlace, machine} from './host-harness.ts';

const places: readonly {readonly base: string | undefined}[] = [
  {base: undefined},
  ...(cgroupBase === undefined ? [] : [{base: cgroupBase}]),
];
const patience = {timeout: 20_000};

test.for(places)(
  '[EX40] memory, processors and processes of a whole attempt are seen (cgroup $base)',
  async ({base}) => {
    await using place = await hostPlace({cgroupBase: base});
    // A shell that waits for a child which computes until it is ended.
    const {plan, runDir} = place.attempt(['/bin/sh', '-c', '(while :; do :; done) & wait']);
    expect(await resourceUse(runDir, machine)).toBeUndefined();
    await place.executor.launch(plan, runDir);
    await expect.poll(async () => (await resourceUse(runDir, machine))?.cpuMs ?? 0, patience).toBeGreaterThan(200);
    const use = await resourceUse(runDir, machine);
    expect(use?.processes).toBe(2);
    expect(use?.rssBytes).toBeGreaterThan(100_000);
    await place.executor.signal(runDir, 'SIGKILL');
    expect(await resourceUse(runDir, machine)).toBeUndefined();
  },
);

test('[EX40] what children used counts once they were waited for', async () => {
  await using place = await hostPlace();
  const busy = 'i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done';
  const {plan, runDir} = place.attempt(['/bin/sh', '-c', `sh -c '${busy}'; sleep 60`]);
  await place.executor.launch(plan, runDir);
  // The shell itself needs next to nothing.
  await expect.poll(async () => (await resourceUse(runDir, machine))?.cpuMs ?? 0, patience).toBeGreaterThan(40);
});

test('[EX40] a line of /proc is read whatever the name of the program is', () => {
  const stat = '7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 100 20 3 4 20 0 1 0 99 0 0';
  expect(parseProcUse(stat, 'Name: a\nVmRSS:\t  12 kB\n')).toEqual({cpuMs: 1_270, rssBytes: 12_288});
  expect(parseProcUse(stat, '')).toEqual({cpuMs: 1_270, rssBytes: 0});
  for (const gone of ['', '7 (a) Z 1 7 7 0 -1 0 0 0 0 0 100 20 3 4 20 0 1 0 99 0 0', '7 (a) S 1 7'])
    expect(parseProcUse(gone, '')).toBeUndefined();
});

test('[EX40] the words of ps are read, with and without days and hundredths', () => {
  expect(parsePsUse('  120   0:01.50\n64 01:02:03\n 8 2-00:00:01\nnonsense\n')).toEqual([
    {rssBytes: 122_880, cpuMs: 1_500},
    {rssBytes: 65_536, cpuMs: 3_723_000},
    {rssBytes: 8_192, cpuMs: 172_801_000},
  ]);
});
