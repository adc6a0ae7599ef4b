import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {accessSync, chownSync, constants, readdirSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import {freePort} from '../../../runner/src/services/port.ts';
import {atExit} from '../leftovers.ts';
import {temporaryTree} from '../temporary.ts';

const execute = promisify(execFile);
const readyMsMax = 20_000;
const debianRoot = '/usr/lib/postgresql';

/** The folder with `initdb` and `postgres`: where Debian keeps its newest version, or on the search path. */
export function postgresBin(): string | undefined {
  const versions = foldersOf(debianRoot).toSorted((left, right) => Number(right) - Number(left));
  const folders = [
    ...versions.map(version => join(debianRoot, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find(folder => ['initdb', 'postgres'].every(name => isExecutable(join(folder, name))));
}

/** A cluster of its own with PostgreSQL's defaults: fsync on, synchronous commit on. */
export async function startPostgres(): Promise<{readonly url: string; readonly stop: () => Promise<void>}> {
  const bin = postgresBin();
  if (bin === undefined) throw new Error('no initdb and postgres were found');
  const folder = temporaryTree('bench-postgres-');
  const user = await postgresUser();
  if (user !== undefined) chownSync(folder.path, user.uid, user.gid);
  const data = join(folder.path, 'data');
  const port = await freePort();
  await execute(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'bench'], {...user, cwd: folder.path});
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder.path}`];
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap(setting => ['-c', setting])], {
    ...user,
    cwd: folder.path,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const forget = atExit(() => void server.kill('SIGQUIT'));
  server.stderr.resume();
  const stop = async (): Promise<void> => {
    if (server.exitCode === null) {
      const exited = once(server, 'exit');
      server.kill('SIGQUIT');
      await exited;
    }
    forget();
    folder.remove();
  };
  await whenReady(bin, port).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {url: `postgres://bench@127.0.0.1:${port}/postgres`, stop};
}

async function whenReady(bin: string, port: number): Promise<void> {
  const deadlineMs = performance.now() + readyMsMax;
  for (;;) {
    const ready = await execute(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).then(
      () => true,
      () => false,
    );
    if (ready) return;
    if (performance.now() > deadlineMs) throw new Error(`PostgreSQL was not ready within ${readyMsMax} ms`);
    await delay(50);
  }
}

/** PostgreSQL refuses to run as root, so root hands the cluster to the system's postgres user. */
async function postgresUser(): Promise<{readonly uid: number; readonly gid: number} | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string): Promise<number> => Number((await execute('id', [flag, 'postgres'])).stdout);
  return {uid: await idOf('-u'), gid: await idOf('-g')};
}

function foldersOf(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
