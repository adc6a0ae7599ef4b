import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {freePort} from '../../../runner/src/services/port.ts';
import {atExit} from '../leftovers.ts';
import {temporaryTree} from '../temporary.ts';

/** When the append-only file is synced: before each answer, as workerd does, or once a second. */
export type Fsync = 'always' | 'everysec';

export type Server = {readonly port: number; readonly stop: () => Promise<void>};

/** A Redis of its own with an append-only file and no snapshots. */
export async function startRedis(fsync: Fsync): Promise<Server> {
  const folder = temporaryTree('bench-redis-');
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder.path,
    save: '',
    appendonly: 'yes',
    appendfsync: fsync,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn('redis-server', args, {stdio: ['ignore', 'pipe', 'inherit']});
  const forget = atExit(() => void child.kill('SIGKILL'));
  for await (const chunk of child.stdout.iterator({destroyOnReturn: false}))
    if (String(chunk).includes('Ready to accept')) break;
  child.stdout.resume();
  return {
    port,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      forget();
      folder.remove();
    },
  };
}
