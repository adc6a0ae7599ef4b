import {execFile} from 'node:child_process';
import {chownSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {startWorker} from '../child.ts';
import type {Queue} from '../closed-loop.ts';
import {makeWorkerUtils} from '../peers/graphile.ts';
import {freePort} from './redis.ts';

const execute = promisify(execFile);

/** PostgreSQL refuses to run as root, so root hands the cluster to the system's postgres user. */
async function postgresUser(): Promise<{uid: number; gid: number} | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async flag => Number((await execute('id', [flag, 'postgres'])).stdout)),
  );
  return uid === undefined || gid === undefined ? undefined : {uid, gid};
}

async function startPostgres(): Promise<{url: string; stop: () => Promise<void>}> {
  const version = readdirSync('/usr/lib/postgresql').toSorted().at(-1) ?? '';
  const bin = join('/usr/lib/postgresql', version, 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'bench-postgres-'));
  const user = await postgresUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  await execute(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'bench'], {...user});
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`;
  await execute(join(bin, 'pg_ctl'), ['-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start'], {...user});
  return {
    url: `postgres://bench@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await execute(join(bin, 'pg_ctl'), ['-D', data, '-m', 'immediate', 'stop'], {...user});
      rmSync(folder, {recursive: true, force: true});
    },
  };
}

/** graphile-worker with PostgreSQL's defaults: fsync on, synchronous commit on. */
export async function graphile(): Promise<Queue> {
  const postgres = await startPostgres();
  const tasks = await makeWorkerUtils({connectionString: postgres.url});
  await tasks.migrate();
  const worker = await startWorker('sides/graphile-worker.ts', {BENCH_POSTGRES: postgres.url});
  return {
    name: 'graphile-worker',
    add: async payload => String((await tasks.addJob('bench', {payload})).id),
    onStart: listener => worker.onStamp(([kind, id, atUs]) => kind === 'start' && listener(id, atUs)),
    onDone: listener => worker.onStamp(([kind, id, atUs]) => kind === 'done' && listener(id, atUs)),
    stop: async () => {
      await worker.stop();
      await tasks.release();
      await postgres.stop();
    },
  };
}
