import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {attemptLabel, parseAttemptLabel, type AttemptName} from './attempt-name.ts';
import {runCommand} from './command.ts';
import {runFiles} from './run-directory.ts';

/** `attachCommand` is a line for a person's shell. */
export type ViewerSession = {readonly name: string; readonly attachCommand: string};

/**
 * Sessions of a private tmux server in which a person watches an attempt, or types to its agent. A session is a
 * window onto the run directory: closing or losing it changes nothing of the attempt, and neither log nor exit is ever
 * taken from it. Every method fails with `executor_unavailable` when tmux is missing.
 */
export type TmuxViewer = {
  /** Shows the log as it grows; keys do nothing. Repeating it gives the same session. */
  readonly open: (attempt: AttemptName, runDir: string) => Promise<ViewerSession>;
  /** The log, and each line typed below it goes to the input of the agent. Replaces a read-only session. */
  readonly takeOver: (attempt: AttemptName, runDir: string) => Promise<ViewerSession>;
  readonly list: () => Promise<AttemptName[]>;
  readonly close: (attempt: AttemptName) => Promise<void>;
};

export type TmuxViewerOptions = {
  readonly stateDir: string;
  /** For the tmux server, whose panes inherit it: PATH, HOME and LANG are enough. */
  readonly env: Readonly<Record<string, string>>;
  readonly tmux?: string;
  /** What of the run directory is shown; the standard output of the agent unless it is named. */
  readonly shownFile?: string;
};

const TMUX_MS_MAX = 5_000;
/** sun_path of a Unix socket, with its final zero, on macOS. */
const SOCKET_PATH_BYTES_MAX = 103;
/** `cat` never gives the agent an end of file: the dead man holds the FIFO open. */
const TAKE_OVER = 'tail -n +1 -F -- "$1" & trap "kill $!" EXIT; cat >"$2"';

export function tmuxViewer({stateDir, env, tmux = 'tmux', shownFile = runFiles.out}: TmuxViewerOptions): TmuxViewer {
  const socket = join(stateDir, 'tmux.sock');
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX)
    throw new SwitchyardError('configuration_invalid', `${socket} is longer than ${SOCKET_PATH_BYTES_MAX} bytes`);
  const base = [tmux, '-S', socket, '-f', '/dev/null'] as const;
  const run = async (args: readonly string[]): Promise<{ok: boolean; text: string}> => {
    const {exitCode, stdout, stderr} = await runCommand([...base, ...args], {cwd: '/', env, timeoutMs: TMUX_MS_MAX});
    return exitCode === 0 ? {ok: true, text: stdout.toString()} : {ok: false, text: stderr.toString().trim()};
  };
  const start = async (
    attempt: AttemptName,
    mode: 'view' | 'type',
    program: readonly string[],
  ): Promise<ViewerSession> => {
    const name = attemptLabel(attempt);
    // Several arguments are executed as they are; a single one would be read by a shell.
    const made = await run(['new-session', '-d', '-s', name, '-x', '200', '-y', '50', ...program]);
    if (!made.ok && !made.text.includes('duplicate session'))
      throw new SwitchyardError('executor_unavailable', `tmux cannot open ${name}: ${made.text}`);
    const attach = [...base, 'attach-session', ...(mode === 'view' ? ['-r'] : []), '-t', `=${name}`];
    return {name, attachCommand: attach.map(quote).join(' ')};
  };
  const close = async (attempt: AttemptName): Promise<void> => {
    await run(['kill-session', '-t', `=${attemptLabel(attempt)}`]);
  };
  return {
    close,
    open: (attempt, runDir) => start(attempt, 'view', ['tail', '-n', '+1', '-F', '--', join(runDir, shownFile)]),
    async takeOver(attempt, runDir) {
      await close(attempt);
      const files = [join(runDir, shownFile), join(runDir, runFiles.in)];
      return start(attempt, 'type', ['sh', '-c', TAKE_OVER, 'take-over', ...files]);
    },
    async list() {
      const {ok, text} = await run(['list-sessions', '-F', '#{session_name}']);
      return ok ? text.split('\n').flatMap(name => parseAttemptLabel(name) ?? []) : [];
    },
  };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) && !word.startsWith('=') ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
