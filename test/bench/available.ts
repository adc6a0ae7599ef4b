import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {progress} from './measure.ts';
import {postgresBin} from './sides/postgres.ts';

/** What can be compared with on this machine; a text says why not. */
export type Available = {readonly redis: true | string; readonly postgres: true | string};

const peers = fileURLToPath(new URL('peers', import.meta.url));
const pnpm = 'pnpm@12.21.0';
const stampPath = `${peers}/node_modules/.bench-install`;

/** Installs the peers where that is needed and looks for the servers that they speak to. */
export async function findPeers(): Promise<Available> {
  const redis = hasProgram('redis-server') ? true : 'redis-server is not on the PATH (apt install redis-server)';
  const postgres = postgresBin() === undefined ? 'initdb was not found (apt install postgresql)' : true;
  if (redis !== true && postgres !== true) return {redis, postgres};
  const failure = await installPeers();
  if (failure === undefined) return {redis, postgres};
  return {redis: redis === true ? failure : redis, postgres: postgres === true ? failure : postgres};
}

async function installPeers(): Promise<string | undefined> {
  const lockfile = readFileSync(`${peers}/pnpm-lock.yaml`, 'utf8');
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === lockfile) return undefined;
  progress('installing the peers (once)');
  const child = spawn('npx', ['-y', pnpm, 'install', '--frozen-lockfile'], {
    cwd: peers,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) return `the peers could not be installed (npx ${pnpm} ended with ${code ?? 'a signal'})`;
  writeFileSync(stampPath, lockfile);
  return undefined;
}

function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], {stdio: 'ignore'}).status === 0;
}
