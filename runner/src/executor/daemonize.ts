import {spawn} from 'node:child_process';
import {constants} from 'node:fs';
import {open, rename, stat, type FileHandle} from 'node:fs/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

export type DaemonOptions = {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Both streams are appended here; an older log larger than `logBytesMax` is first moved to `<logFile>.1`. */
  readonly logFile: string;
  readonly logBytesMax?: number;
};

/** The group id equals the pid: the daemon leads a session of its own. */
export type Daemon = {readonly pid: number; readonly pgid: number; readonly logFile: string};

const LOG_BYTES_MAX = 10 * 1024 * 1024;
const EARLY_EXIT_MS = 500;
const TAIL_BYTES_MAX = 2_048;

/**
 * Starts a program that outlives this process and its terminal, with an empty input. Returns once the program has
 * been executed and has stayed for half a second.
 *
 * @throws SwitchyardError executor_unavailable when it cannot be executed or ends at once; the detail holds the end of its log
 */
export async function daemonize(argv: readonly [string, ...string[]], options: DaemonOptions): Promise<Daemon> {
  const {cwd, env, logFile, logBytesMax = LOG_BYTES_MAX} = options;
  await rotate(logFile, logBytesMax);
  await using log = await open(
    logFile,
    constants.O_CREAT | constants.O_APPEND | constants.O_RDWR | constants.O_NOFOLLOW,
    0o600,
  );
  const [program, ...args] = argv;
  const child = spawn(program, args, {cwd, env, detached: true, stdio: ['ignore', log.fd, log.fd]});
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', cause =>
      reject(new SwitchyardError('executor_unavailable', `${program} cannot be started`, {cause})),
    );
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
  const end = await new Promise<string | undefined>(resolve => {
    const timer = setTimeout(() => resolve(undefined), EARLY_EXIT_MS);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(signal ?? `code ${code}`);
    });
  });
  if (end !== undefined)
    throw new SwitchyardError('executor_unavailable', `${program} ended at once with ${end}: ${await tailOf(log)}`);
  child.unref();
  return {pid, pgid: pid, logFile};
}

async function rotate(logFile: string, bytesMax: number): Promise<void> {
  const old = await stat(logFile).catch(() => undefined);
  if (old !== undefined && old.size > bytesMax) await rename(logFile, `${logFile}.1`);
}

async function tailOf(log: FileHandle): Promise<string> {
  const {size} = await log.stat();
  const start = Math.max(0, size - TAIL_BYTES_MAX);
  const {buffer, bytesRead} = await log.read(Buffer.alloc(TAIL_BYTES_MAX), 0, TAIL_BYTES_MAX, start);
  return buffer.toString('utf8', 0, bytesRead).trim();
}
