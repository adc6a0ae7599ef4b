import {existsSync} from 'node:fs';
import {readFile, rmdir, writeFile} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {cgroupAt, findCgroupBase, parseCgroup2Mounts, parseOwnCgroup} from '../../../runner/src/executor/cgroup.ts';
import {passesMemoryOn} from '../../../runner/src/executor/cgroup-memory.ts';
import {resourceUse} from '../../../runner/src/executor/resource-use.ts';
import {readMeta} from '../../../runner/src/executor/run-directory.ts';
import {cgroupBase, hostPlace, machine, noCgroup} from './host-harness.ts';

const holdsMemory = cgroupBase !== undefined && (await passesMemoryOn(cgroupBase));
const reason = holdsMemory ? '' : ' (skipped: no writable cgroup v2 with a memory controller on this machine)';
const memoryBytesMax = 64 * 1_048_576;

/** Holds so much memory, then says so and stays. */
const holding = (bytes: number): string =>
  `const held = Buffer.alloc(${bytes}, 1); process.stdout.write('held'); setInterval(() => held, 1000)`;

const node = (script: string): readonly [string, string, string] => [process.execPath, '-e', script];

const patience = {timeout: 20_000};
const written = async (runDir: string): Promise<string> => readFile(join(runDir, 'out'), 'utf8');

test.skipIf(!holdsMemory)(
  `[EX41] what holds more memory than it may is ended by the kernel, with all that belongs to it${reason}`,
  async () => {
    await using place = await hostPlace({cgroupBase});
    // The agent itself needs little: its child is too large, and a part of an agent is none.
    const [program, ...words] = node(holding(200 * 1_048_576));
    const script = '"$@"; echo "the child ended" >&2; while :; do sleep 1; done';
    const {plan, runDir} = place.attempt(['/bin/sh', '-c', script, 'sh', program, ...words], {memoryBytesMax});
    await place.executor.launch(plan, runDir);
    await expect
      .poll(async () => place.executor.status(runDir), patience)
      .toMatchObject({state: 'exited', signal: 'SIGKILL', isOutOfMemory: true});
    expect(await written(runDir)).toBe('');
    expect(await readFile(join(runDir, 'err'), 'utf8')).toBe('');
    expect(await place.another().status(runDir)).toMatchObject({isOutOfMemory: true});
  },
);

test.skipIf(!holdsMemory)(
  `[EX41] what holds less is let be, and the limit that the kernel holds is seen${reason}`,
  async () => {
    await using place = await hostPlace({cgroupBase});
    const {plan, runDir} = place.attempt([...node(holding(1_048_576))], {memoryBytesMax: 512 * 1_048_576});
    await place.executor.launch(plan, runDir);
    await expect.poll(async () => written(runDir), patience).toBe('held');
    expect(await resourceUse(runDir, machine)).toMatchObject({heldMemoryBytesMax: 512 * 1_048_576});
    await place.executor.signal(runDir, 'SIGKILL');
    expect(await place.executor.status(runDir)).not.toHaveProperty('isOutOfMemory');
  },
);

test.skipIf(!holdsMemory)(`[EX42] a limit that the agent has lifted is seen to be gone${reason}`, async () => {
  await using place = await hostPlace({cgroupBase});
  const {plan, runDir} = place.attempt([...node(holding(1_048_576))], {memoryBytesMax: 512 * 1_048_576});
  await place.executor.launch(plan, runDir);
  await expect
    .poll(async () => resourceUse(runDir, machine), patience)
    .toHaveProperty('heldMemoryBytesMax', plan.memoryBytesMax);
  const {agentPath} = cgroupAt((await readMeta(runDir))?.cgroup ?? '');
  await writeFile(join(agentPath, 'memory.max'), 'max', {flag: 'r+'});
  expect((await resourceUse(runDir, machine))?.processes).toBe(1);
  expect(await resourceUse(runDir, machine)).not.toHaveProperty('heldMemoryBytesMax');
});

test('[EX42] without a cgroup a limit of memory is nobody else than the one who looks', async () => {
  await using place = await hostPlace();
  const {plan, runDir} = place.attempt([...node(holding(48 * 1_048_576))], {memoryBytesMax: 32 * 1_048_576});
  await place.executor.launch(plan, runDir);
  await expect.poll(async () => written(runDir), patience).toBe('held');
  const use = await resourceUse(runDir, machine);
  expect(use).not.toHaveProperty('heldMemoryBytesMax');
  expect(use?.rssBytes).toBeGreaterThan(48 * 1_048_576);
});

/** Where a folder for cgroups may be: in each from the own cgroup to the mount. */
async function parents(): Promise<readonly string[]> {
  const own = parseOwnCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  return parseCgroup2Mounts(await readFile('/proc/mounts', 'utf8')).flatMap(mount => {
    const found = [mount];
    for (let at = resolve(mount, `.${own}`); at.startsWith(`${mount}/`); at = dirname(at)) found.push(at);
    return found;
  });
}

test.skipIf(cgroupBase === undefined)(
  `[EX43] the place for cgroups is one that can limit memory where there is one, and no other is left behind${cgroupBase === undefined ? ` (skipped: ${noCgroup})` : ''}`,
  async () => {
    const base = (await findCgroupBase(`switchyard-place-${process.pid}`)) ?? '';
    onTestFinished(async () => rmdir(base));
    const places = await parents();
    const made = places.map(parent => join(parent, basename(base))).filter(path => existsSync(path));
    expect(made).toEqual([base]);
    const passing = await Promise.all(places.map(passesMemoryOn));
    expect(await passesMemoryOn(base)).toBe(passing.includes(true));
  },
);
