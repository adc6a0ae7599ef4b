import {spawn} from 'node:child_process';
import {access, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {parseCgroup2Mounts, parseOwnCgroup} from '../../../runner/src/executor/cgroup.ts';
import {killTree} from '../../../runner/src/executor/kill-tree.ts';
import {belongingPids, type ProcessTraces} from '../../../runner/src/executor/leftover-processes.ts';
import {identityOf, isAlive, type ProcessIdentity} from '../../../runner/src/executor/process-identity.ts';
import type {ProcessEntry} from '../../../runner/src/executor/process-table.ts';
import {readAgentIdentity, readMeta} from '../../../runner/src/executor/run-directory.ts';
import {readUntil, untilState} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, hostPlace, machine, noCgroup, type HostPlace} from './host-harness.ts';

const now = {reason: 'gone', graceMs: 0};

/** Launches the agent of many escapes; answers the identities of its descendants by name, once all are there. */
async function launchEscapes(place: HostPlace, count: number, ...args: string[]) {
  const list = join(place.root, 'descendants');
  await writeFile(list, '');
  const {plan, runDir} = place.attempt(agent('escapes', list, ...args));
  await place.executor.launch(plan, runDir);
  await expect.poll(async () => (await readFile(list, 'utf8')).split('\n').length - 1).toBe(count);
  const lines = (await readFile(list, 'utf8')).trim().split('\n');
  const descendants = lines.map(line => {
    const [name = '', pid] = line.split(' ');
    const identity = identityOf(Number(pid), machine);
    if (identity === undefined) throw new Error(`${name} is not there`);
    return {name, identity};
  });
  const alive = (): string[] =>
    descendants
      .filter(({identity}) => isAlive(identity, machine))
      .map(({name}) => name)
      .toSorted();
  return {runDir, descendants, alive};
}

const ways = ['double-fork', 'empty-env', 'nohup', 'plain', 'setsid'];

describe('ending the tree of an attempt', () => {
  test.skipIf(cgroupBase === undefined)(`[KT1] no descendant survives in a cgroup (skipped: ${noCgroup})`, async () => {
    await using place = await hostPlace({cgroupBase});
    const {runDir, alive} = await launchEscapes(place, 6, 'far');
    expect(alive()).toEqual(['double-fork', 'empty-env', 'far', 'nohup', 'plain', 'setsid']);
    expect(await killTree(runDir, now, machine)).toEqual({survivors: []});
    expect(alive()).toEqual([]);
  });

  test('[KT2] without a cgroup every descendant that left a trace is found', async () => {
    await using place = await hostPlace();
    const {runDir, alive} = await launchEscapes(place, 5);
    expect(alive()).toEqual(ways);
    expect(await killTree(runDir, now, machine)).toEqual({survivors: []});
    expect(alive()).toEqual([]);
  });

  test('[KT2] what left no trace at all is out of reach without a cgroup', async () => {
    await using place = await hostPlace();
    const {runDir, alive, descendants} = await launchEscapes(place, 6, 'far');
    await killTree(runDir, now, machine);
    expect(alive()).toEqual(['far']);
    for (const {name, identity} of descendants) if (name === 'far') process.kill(identity.pid, 'SIGKILL');
  });

  test('[KT2] a process that only keeps the log open is found', async () => {
    await using place = await hostPlace();
    const list = join(place.root, 'writer');
    const script =
      '(cd / && env -i /usr/bin/setsid /bin/sh -c "echo \\$\\$ >$0; exec sleep 600" </dev/null &); sleep 600';
    const {plan, runDir} = place.attempt(['/bin/sh', '-c', script, list]);
    await place.executor.launch(plan, runDir);
    await expect.poll(() => readFile(list, 'utf8').catch(() => '')).toMatch(/^\d+\n$/);
    const writer = identityOf(Number(await readFile(list, 'utf8')), machine);
    expect(await killTree(runDir, now, machine)).toEqual({survivors: []});
    expect(writer !== undefined && isAlive(writer, machine)).toBe(false);
  });

  test.skipIf(cgroupBase === undefined)(
    `[KT3] the cgroup is taken away with the attempt (skipped: ${noCgroup})`,
    async () => {
      await using place = await hostPlace({cgroupBase});
      const {plan, runDir} = place.attempt(agent('hangs'));
      await place.executor.launch(plan, runDir);
      const path = (await readMeta(runDir))?.cgroup ?? '';
      await access(join(path, 'agent', 'cgroup.procs'));
      await killTree(runDir, now, machine);
      await expect(access(path)).rejects.toMatchObject({code: 'ENOENT'});
    },
  );

  test.skipIf(cgroupBase === undefined)(
    `[KT3] after an end of its own too, and the end stays (skipped: ${noCgroup})`,
    async () => {
      await using place = await hostPlace({cgroupBase});
      const {plan, runDir} = place.attempt(agent('prints', '3'));
      await place.executor.launch(plan, runDir);
      await untilState(place.executor, runDir, 'exited');
      expect(await killTree(runDir, now, machine)).toEqual({survivors: []});
      await expect(access((await readMeta(runDir))?.cgroup ?? '')).rejects.toMatchObject({code: 'ENOENT'});
      expect(await place.executor.status(runDir)).toMatchObject({state: 'exited', code: 3});
    },
  );

  test('[KT4] a bystander with the same command line is spared', async () => {
    await using place = await hostPlace();
    const {plan, runDir} = place.attempt(agent('hangs'));
    await place.executor.launch(plan, runDir);
    await readUntil(place.executor, runDir, 'ready');
    const elsewhere = await mkdtemp(join(tmpdir(), 'switchyard-bystander-'));
    const [program, ...args] = agent('hangs');
    const bystander = spawn(program, args, {
      cwd: elsewhere,
      detached: true,
      stdio: 'ignore',
      env: {PATH: '/usr/bin:/bin'},
    });
    try {
      await killTree(runDir, now, machine);
      expect(identityOf(bystander.pid ?? 0, machine)).toBeDefined();
    } finally {
      bystander.kill('SIGKILL');
      await rm(elsewhere, {recursive: true});
    }
  });

  test.for([
    {name: 'hangs', graceMs: 20_000, code: 143, log: 'ready\n'},
    {name: 'ignores-sigterm', graceMs: 6_000, code: 137, log: 'ready\nheard TERM\n'},
  ])('[KT5] $name gets its grace and no more', async ({name, graceMs, code, log}) => {
    await using place = await hostPlace({cgroupBase});
    const {plan, runDir} = place.attempt(agent(name));
    await place.executor.launch(plan, runDir);
    await readUntil(place.executor, runDir, 'ready');
    expect(await killTree(runDir, {reason: 'cancelled', graceMs}, machine)).toEqual({survivors: []});
    expect(await place.executor.status(runDir)).toEqual({state: 'killed', reason: 'cancelled', code});
    expect(await readFile(join(runDir, 'out'), 'utf8')).toBe(log);
  });

  test.for(['agent', 'pid'])('[KT6] a stranger named in the file %s is spared', async file => {
    await using place = await hostPlace();
    const elsewhere = await mkdtemp(join(tmpdir(), 'switchyard-stranger-'));
    const stranger = spawn('/bin/sleep', ['600'], {cwd: elsewhere, detached: true, stdio: 'ignore', env: {}});
    try {
      const {plan, runDir} = place.attempt(agent('hangs'));
      await place.executor.launch(plan, runDir);
      await readUntil(place.executor, runDir, 'ready');
      const {pid, started, bootId} = identityOf(stranger.pid ?? 0, machine) ?? {};
      await writeFile(join(runDir, file), `${pid} ${started} ${bootId} group\n`);
      await place.executor.signal(runDir, 'SIGINT');
      await killTree(runDir, now, machine);
      expect(identityOf(stranger.pid ?? 0, machine)).toBeDefined();
    } finally {
      stranger.kill('SIGKILL');
      await rm(elsewhere, {recursive: true});
    }
  });

  test('[KT6] a cgroup that is not named after the attempt is not believed', async () => {
    await using place = await hostPlace();
    const {plan, runDir} = place.attempt(agent('hangs'));
    await place.executor.launch(plan, runDir);
    const meta = await readMeta(runDir);
    await writeFile(join(runDir, 'meta.json'), JSON.stringify({...meta, cgroup: '/sys/fs/cgroup/system.slice'}));
    expect(await readMeta(runDir)).toBeUndefined();
    expect(await killTree(runDir, now, machine)).toEqual({survivors: []});
  });

  test('[KT6] another attempt that the description names is spared, and the own one is ended all the same', async () => {
    await using place = await hostPlace();
    const [named, hostile] = [place.attempt(agent('hangs')), place.attempt(agent('hangs'))];
    for (const {plan, runDir} of [named, hostile]) {
      await place.executor.launch({...plan, cwd: runDir}, runDir);
      await readUntil(place.executor, runDir, 'ready');
    }
    await writeFile(join(hostile.runDir, 'meta.json'), JSON.stringify(await readMeta(named.runDir)));
    expect(await readMeta(hostile.runDir)).toBeUndefined();
    const own = await readAgentIdentity(hostile.runDir);
    expect(await killTree(hostile.runDir, now, machine)).toEqual({survivors: []});
    expect(own !== undefined && isAlive(own, machine)).toBe(false);
    expect(await place.executor.status(named.runDir)).toMatchObject({state: 'running'});
  });
});

const entry = (pid: number, rest: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  parentPid: 1,
  groupId: pid,
  sessionId: pid,
  started: String(pid),
  isZombie: false,
  ...rest,
});
const leader: ProcessIdentity = {pid: 100, started: '100', bootId: 'boot'};
const noTraces: ProcessTraces = {mark: undefined, cwd: undefined, files: []};
const attempt = {mark: 'a.e1', leaders: [leader], worktree: '/w/t', logs: ['/r/out'], spared: new Set<number>()};

describe('who belongs to an attempt', () => {
  test.for([
    {why: 'the group of a living leader', entries: [entry(100), entry(101, {groupId: 100})], found: [100, 101]},
    {why: 'the group of a dead leader', entries: [entry(101, {groupId: 100})], found: [101]},
    {
      why: 'no group whose leader has the pid of another time',
      entries: [entry(100, {started: '7'}), entry(101, {groupId: 100})],
      found: [],
    },
    {why: 'no zombie', entries: [entry(100, {isZombie: true})], found: []},
    {
      why: 'a descendant in whatever order',
      entries: [entry(103, {parentPid: 102}), entry(102, {parentPid: 100}), entry(100)],
      found: [100, 102, 103],
    },
  ])('[KT7] $why', ({entries, found}) => {
    expect(belongingPids(entries, () => noTraces, attempt).toSorted((a, b) => a - b)).toEqual(found);
  });

  test.for([
    {traces: {mark: 'a.e1'}, found: [200]},
    {traces: {mark: 'a.e10'}, found: []},
    {traces: {cwd: '/w/t'}, found: [200]},
    {traces: {cwd: '/w/t/src'}, found: [200]},
    {traces: {cwd: '/w/tree'}, found: []},
    {traces: {files: ['/dev/null', '/r/out']}, found: [200]},
  ])('[KT2] the trace $traces is read exactly', ({traces, found}) => {
    expect(belongingPids([entry(200)], () => ({...noTraces, ...traces}), attempt)).toEqual(found);
    expect(belongingPids([entry(200)], () => ({...noTraces, ...traces}), {...attempt, spared: new Set([200])})).toEqual(
      [],
    );
  });
});

describe('cgroups', () => {
  test('[KT10] mounts and the own place are read', () => {
    const mixed =
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n';
    expect(parseCgroup2Mounts(mixed)).toEqual(['/sys/fs/cgroup/unified']);
    expect(parseCgroup2Mounts('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n')).toEqual(['/sys/fs/cgroup']);
    expect(parseCgroup2Mounts('proc /proc proc rw 0 0\n')).toEqual([]);
    expect(parseOwnCgroup('9:name=systemd:/\n0::/user.slice/x.service\n')).toBe('/user.slice/x.service');
    expect(parseOwnCgroup('1:cpu:/\n')).toBe('/');
  });
});
