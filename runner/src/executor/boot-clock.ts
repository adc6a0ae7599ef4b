import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/**
 * Time since the machine started, asleep or awake. It never steps when somebody sets the wall clock, and it goes on in
 * suspend, so that a lease runs out while a laptop sleeps. It is only comparable on one machine, within one boot.
 */
export type BootClock = {
  /** Milliseconds since boot; a resolution of 10 ms on Linux. */
  readonly nowMs: () => number;
  /** Differs after every start of the machine. */
  readonly bootId: string;
};

export type BootSources = {
  readonly platform: NodeJS.Platform;
  readonly readText: (path: string) => string;
  readonly sysctl: (name: string) => string;
  readonly wallNowMs: () => number;
};

/**
 * The boot clock of this machine.
 *
 * Linux: /proc/uptime, which is CLOCK_BOOTTIME. macOS: wall clock minus `kern.boottime`; the kernel moves
 * `kern.boottime` along when the wall clock is set, so the difference holds. It is read again each time for that reason.
 *
 * @throws SwitchyardError executor_unavailable when the machine tells neither
 */
export function bootClock(sources: BootSources): BootClock {
  if (sources.platform === 'darwin') {
    return {
      nowMs: () => sources.wallNowMs() - darwinBootedAtMs(sources.sysctl('kern.boottime')),
      bootId: bootIdFrom(sources.sysctl('kern.bootsessionuuid')),
    };
  }
  return {
    nowMs: () => parseUptimeMs(sources.readText('/proc/uptime')),
    bootId: bootIdFrom(sources.readText('/proc/sys/kernel/random/boot_id')),
  };
}

export function hostBootSources(wallNowMs: () => number): BootSources {
  return {
    platform: process.platform,
    readText: path => readFileSync(path, 'utf8'),
    sysctl: name => execFileSync('/usr/sbin/sysctl', ['-n', name], {encoding: 'utf8', timeout: 5_000}),
    wallNowMs,
  };
}

export function parseUptimeMs(text: string): number {
  const [, seconds, hundredths] = /^(\d{1,12})\.(\d\d)\s/.exec(text) ?? [];
  if (seconds === undefined || hundredths === undefined) throw unreadable('/proc/uptime', text);
  return Number(seconds) * 1_000 + Number(hundredths) * 10;
}

function darwinBootedAtMs(text: string): number {
  const [, seconds, micros] = /sec = (\d+), usec = (\d+)/.exec(text) ?? [];
  if (seconds === undefined || micros === undefined) throw unreadable('kern.boottime', text);
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

function bootIdFrom(text: string): string {
  const id = text.trim();
  if (!/^[0-9A-Za-z-]{8,64}$/.test(id)) throw unreadable('boot id', text);
  return id;
}

function unreadable(what: string, text: string): SwitchyardError {
  return new SwitchyardError('executor_unavailable', `${what} reads ${JSON.stringify(text.slice(0, 80))}`);
}
