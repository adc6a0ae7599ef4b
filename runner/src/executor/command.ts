import {spawn, type ChildProcess} from 'node:child_process';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {readVariable} from './leftover-processes.ts';
import {hostProcesses, type ProcessEntry} from './process-table.ts';

export type CommandOptions = {
  readonly cwd: string;
  /** The whole environment of the command. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** For each of the two streams; what comes after it is counted and dropped. */
  readonly outputBytesMax?: number;
  readonly input?: Uint8Array | string;
  readonly signal?: AbortSignal;
};

export type CommandResult = {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly droppedBytes: number;
  readonly endedBy: 'itself' | 'timeout' | 'cancel';
};

export const COMMAND_OUTPUT_BYTES_MAX = 10 * 1024 * 1024;
/** Set for every command, so that a descendant that left group and parent is still known. */
const COMMAND_VARIABLE = 'SWITCHYARD_COMMAND';
let commandsStarted = 0;
/** A background child may hold the pipes open after the command itself has ended; it is not waited for longer. */
const DRAIN_MS = 500;

/**
 * Runs a program to its end: no shell, no interpolation. On timeout and on cancel the program and its descendants are
 * killed; after a normal end what is left of its process group is. An exit code other than 0 is a value, not an error.
 *
 * @throws SwitchyardError executor_unavailable when the program cannot be started
 */
export function runCommand(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const [program, ...args] = argv;
  const {cwd, env, timeoutMs, outputBytesMax = COMMAND_OUTPUT_BYTES_MAX, input, signal} = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      resolve({
        exitCode: null,
        signal: null,
        stdout: Buffer.alloc(0),
        stderr: Buffer.alloc(0),
        droppedBytes: 0,
        endedBy: 'cancel',
      });
      return;
    }
    commandsStarted += 1;
    const mark = `${process.pid}.${commandsStarted}`;
    const child = spawn(program, args, {
      cwd,
      env: {...env, [COMMAND_VARIABLE]: mark},
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = [bounded(outputBytesMax), bounded(outputBytesMax)];
    child.stdout.on('data', stdout.add);
    child.stderr.on('data', stderr.add);
    child.stdin.on('error', () => undefined); // it ended without reading
    child.stdin.end(input);
    let endedBy: CommandResult['endedBy'] = 'itself';
    const end = (why: 'timeout' | 'cancel') => (): void => {
      endedBy = why;
      killDescendants(child.pid, mark);
    };
    const [onTimeout, onCancel] = [end('timeout'), end('cancel')];
    const timer = setTimeout(onTimeout, timeoutMs);
    signal?.addEventListener('abort', onCancel, {once: true});
    const release = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onCancel);
    };
    child.once('error', cause => {
      release();
      reject(new SwitchyardError('executor_unavailable', `${program} cannot be started`, {cause}));
    });
    child.once('exit', () => {
      release();
      killGroup(child.pid);
      destroyPipesLater(child);
    });
    child.once('close', (exitCode, killedBy) => {
      const droppedBytes = stdout.droppedBytes() + stderr.droppedBytes();
      resolve({exitCode, signal: killedBy, stdout: stdout.bytes(), stderr: stderr.bytes(), droppedBytes, endedBy});
    });
  });
}

function bounded(bytesMax: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  let dropped = 0;
  return {
    add: (chunk: Buffer): void => {
      const kept = chunk.subarray(0, bytesMax - size);
      dropped += chunk.byteLength - kept.byteLength;
      size += kept.byteLength;
      if (kept.byteLength > 0) chunks.push(kept);
    },
    bytes: () => Buffer.concat(chunks),
    droppedBytes: () => dropped,
  };
}

function destroyPipesLater(child: ChildProcess): void {
  const timer = setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, DRAIN_MS);
  child.once('close', () => clearTimeout(timer));
}

/**
 * The whole tree below a process that has not been reaped, and whoever carries its mark. All are stopped before any is
 * killed, so that none is orphaned and lost from sight while the list is read; twice, for what forked meanwhile.
 */
function killDescendants(pid: number | undefined, mark: string): void {
  if (pid === undefined) return;
  const tree = new Set([pid]);
  for (let round = 0; round < 2; round += 1) {
    for (const found of descendants(tree, mark, hostProcesses.list())) tree.add(found);
    for (const member of tree) send(member, 'SIGSTOP');
  }
  for (const member of tree) send(member, 'SIGKILL');
  killGroup(pid);
}

function descendants(roots: ReadonlySet<number>, mark: string, entries: readonly ProcessEntry[]): Set<number> {
  const isNear = ({pid, groupId, sessionId}: ProcessEntry): boolean =>
    roots.has(groupId) || roots.has(sessionId) || readVariable(pid, COMMAND_VARIABLE) === mark;
  const found = new Set([...roots, ...entries.filter(isNear).map(({pid}) => pid)]);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const {pid, parentPid} of entries) if (found.has(parentPid)) found.add(pid);
  }
  return found;
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) send(-pid, 'SIGKILL');
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
