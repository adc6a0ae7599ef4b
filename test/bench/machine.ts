import {execFileSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {statfsSync} from 'node:fs';
import {availableParallelism, cpus, release, tmpdir, totalmem, type} from 'node:os';

/** One line about where the figures were made: without it they mean nothing. */
export function machineText(): string {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${availableParallelism()} cores (${cpu}), ${gigabytes} GiB, ${type()} ${release()}`,
    `temporary files on ${fileSystemName()}`,
    `node ${process.versions.node}, workerd ${workerdVersion()}, git ${versionOf('git')}`,
    ...['redis-server', 'postgres'].map(name => `${name} ${versionOf(name)}`),
  ].join('; ');
}

/** The magic numbers of statfs(2). */
const fileSystems: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x01021994: 'tmpfs',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlayfs',
};

function fileSystemName(): string {
  const {type: magic} = statfsSync(process.env['BENCH_DIRECTORY'] ?? tmpdir());
  return fileSystems[magic] ?? `a file system of type 0x${magic.toString(16)}`;
}

function workerdVersion(): string {
  // workerd is a dependency of miniflare, which is one of the runner.
  const runner = createRequire(new URL('../../runner/package.json', import.meta.url));
  const {version} = createRequire(runner.resolve('miniflare'))('workerd/package.json') as {version: string};
  return version;
}

function versionOf(program: string): string {
  try {
    const text = execFileSync(program, ['--version'], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});
    return /\d+\.\d[\d.]*/.exec(text)?.[0] ?? 'of unknown version';
  } catch {
    return 'absent';
  }
}
