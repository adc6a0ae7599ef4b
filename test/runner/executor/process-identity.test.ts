import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {describe, expect, test} from 'vitest';
import {bootClock, parseUptimeMs} from '../../../runner/src/executor/boot-clock.ts';
import {identityOf, isAlive} from '../../../runner/src/executor/process-identity.ts';
import {parseProcStat, parsePs, procSource, psSource} from '../../../runner/src/executor/process-table.ts';
import {clock, machine} from './host-harness.ts';

describe('the boot clock', () => {
  const sources = {readText: () => '', sysctl: () => '', wallNowMs: () => 0};

  test('[RD8] Linux is read from /proc', () => {
    const files: Record<string, string> = {
      '/proc/uptime': '698.07 1306.43\n',
      '/proc/sys/kernel/random/boot_id': '7a7e5b59-d376-4f9f-bc0d\n',
    };
    const linux = bootClock({...sources, platform: 'linux', readText: path => files[path] ?? ''});
    expect([linux.nowMs(), linux.bootId]).toEqual([698_070, '7a7e5b59-d376-4f9f-bc0d']);
    expect(() => parseUptimeMs('nonsense')).toThrow(/executor_unavailable/);
  });

  test('[RD8] macOS is the wall clock less the time of boot, which moves along when the clock is set', () => {
    let [bootedSec, wallMs] = [1_700_000_000, 1_700_000_100_250];
    const sysctl = (name: string): string =>
      name === 'kern.boottime'
        ? `{ sec = ${bootedSec}, usec = 250000 } Tue Nov 14 22:13:20 2023\n`
        : '1B4E28BA-2FA1-11D2-883F-0016D3CCA427\n';
    const darwin = bootClock({...sources, platform: 'darwin', sysctl, wallNowMs: () => wallMs});
    expect([darwin.nowMs(), darwin.bootId]).toEqual([100_000, '1B4E28BA-2FA1-11D2-883F-0016D3CCA427']);
    [bootedSec, wallMs] = [bootedSec + 3_600, wallMs + 3_600_000];
    expect(darwin.nowMs()).toBe(100_000);
  });

  test('[RD8] the clock of this machine goes on', async () => {
    const before = clock.nowMs();
    expect(before).toBeGreaterThan(0);
    await expect.poll(() => clock.nowMs(), {interval: 10}).toBeGreaterThan(before);
  });
});

describe('the identity of a process', () => {
  test('[RD9] pid, start and boot must all be the same, and a zombie is dead', async () => {
    const child = spawn('/bin/sh', ['-c', 'sleep 600 & exec sleep 600'], {stdio: 'ignore', detached: true});
    await once(child, 'spawn');
    const identity = identityOf(child.pid ?? 0, machine);
    if (identity === undefined) throw new Error('the child is not there');
    expect(isAlive(identity, machine)).toBe(true);
    expect(isAlive({...identity, started: `${identity.started}0`}, machine)).toBe(false);
    expect(isAlive({...identity, bootId: 'another-boot'}, machine)).toBe(false);
    process.kill(-identity.pid, 'SIGKILL');
    await once(child, 'exit');
    expect(isAlive(identity, machine)).toBe(false);
    expect(identityOf(identity.pid, machine)).toBeUndefined();
    const corpse = {...machine, processes: {...machine.processes, read: () => parseProcStat(stat('Z'))}};
    expect(isAlive({pid: 12, started: '34567', bootId: machine.bootId}, corpse)).toBe(false);
  });

  const stat = (state: string): string =>
    `12 (a) b (c) ) ${state} 3 4 5 0 -1 4194560 100 0 0 0 1 2 3 4 20 0 1 0 34567 1000 10 0\n`;

  test('[RD10] a name with spaces and parentheses hides no field', () => {
    const fields = {pid: 12, parentPid: 3, groupId: 4, sessionId: 5, started: '34567'};
    expect(parseProcStat(stat('S'))).toEqual({...fields, isZombie: false});
    expect(parseProcStat(stat('Z'))).toEqual({...fields, isZombie: true});
    expect(parseProcStat('')).toBeUndefined();
    expect(parseProcStat('12 (a')).toBeUndefined();
  });

  test.skipIf(process.platform !== 'linux')('[RD10] ps tells the same as /proc (skipped: there is no /proc)', () => {
    const [fromProc, fromPs] = [procSource.read(process.pid), psSource.read(process.pid)];
    expect(fromPs).toMatchObject({
      pid: process.pid,
      parentPid: fromProc?.parentPid,
      groupId: fromProc?.groupId,
      isZombie: false,
    });
    expect(fromPs?.started).toMatch(/^\w{3}_\w{3}_\d+_\d\d:\d\d:\d\d_\d{4}$/);
    expect(psSource.read(2 ** 22 + 1)).toBeUndefined();
    expect(psSource.list().map(({pid}) => pid)).toContain(process.pid);
    expect(parsePs('  7     1     7 Zs   Fri Nov 20 20:24:10 2026    \n')).toEqual([
      {pid: 7, parentPid: 1, groupId: 7, sessionId: 0, started: 'Fri_Nov_20_20:24:10_2026', isZombie: true},
    ]);
  });
});
