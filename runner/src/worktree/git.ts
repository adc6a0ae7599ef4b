import {Duplex} from 'node:stream';
import {execa} from 'execa';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {answerCredentials, CREDENTIAL_FD, credentialHelper, type FindCredential} from './credential-pipe.ts';

const defaultDeadlineMs = 60_000;
/** How long git has to remove its own lock files after SIGTERM before the whole group is killed. */
const killGraceMs = 3_000;
const outputBytesMax = 64 * 1024 * 1024;
const detailCharactersMax = 1_000;

/** What decides how every git process of the runner is started. Nothing of the runner's own environment leaks in. */
export interface GitSettings {
  readonly program: string;
  /** `PATH` and `HOME` for git and for the helpers it starts (ssh, credential helpers). */
  readonly searchPath: string;
  readonly home: string;
  /** A git configuration that the owner of the machine trusts; without it no global configuration is read. */
  readonly globalConfigPath?: string | undefined;
  readonly protocols?: readonly ('https' | 'ssh' | 'file' | 'git')[] | undefined;
  /** More variables, such as `SSH_AUTH_SOCK` or `HTTPS_PROXY`. Never a secret that an agent could read. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Asked each time that a git process wants a credential; without it none has one. */
  readonly findCredential?: FindCredential | undefined;
}

export interface GitCall {
  readonly cwd: string;
  /** Names the repository instead of letting git discover it: an agent can rewrite the files that discovery reads. */
  readonly gitDir?: string | undefined;
  readonly commonDir?: string | undefined;
  readonly workTree?: string | undefined;
  readonly indexFile?: string | undefined;
  readonly author?: GitAuthor | undefined;
  readonly input?: string | Uint8Array | undefined;
  readonly deadlineMs?: number | undefined;
  /** More output than this is no failure: git is ended, and what came before is the answer. */
  readonly cutAtBytes?: number | undefined;
  /** What a passed deadline is called; `git_failed` unless the call waits for another machine. */
  readonly lateCode?: 'repository_unreachable' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GitAuthor {
  readonly name: string;
  readonly email: string;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/**
 * Runs one git process. Any exit code is a value; a missing program, a passed deadline (`lateCode`) or a full disk
 * (`disk_full`) throws, and an abort throws the reason of the signal. When the promise settles the process group is gone.
 */
export type Git = (args: readonly string[], call: GitCall) => Promise<GitResult>;

/** Settings that beat whatever a repository's configuration says: no program that it names is ever started. */
const alwaysConfig: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.alternateRefsCommand', 'true'],
  ['core.protectHFS', 'true'],
  ['core.protectNTFS', 'true'],
  ['core.editor', 'true'],
  ['core.pager', 'cat'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['push.recurseSubmodules', 'no'],
  ['diff.ignoreSubmodules', 'dirty'],
  ['commit.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['push.gpgSign', 'false'],
  ['log.showSignature', 'false'],
  ['rerere.enabled', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['credential.helper', ''],
  ['advice.graftFileDeprecated', 'false'],
];

const credentialConfig: readonly (readonly [string, string])[] = [
  ['credential.helper', credentialHelper],
  // One host may hold repositories of several owners.
  ['credential.useHttpPath', 'true'],
];

export function createGit(settings: GitSettings): Git {
  return async (args, call) => {
    call.signal?.throwIfAborted();
    const find = speaksToOthers(args) ? settings.findCredential : undefined;
    const child = execa(settings.program, args, {
      cwd: call.cwd,
      env: environmentOf(settings, call, find !== undefined),
      extendEnv: false,
      encoding: 'buffer',
      maxBuffer: outputMax(call),
      stripFinalNewline: false,
      reject: false,
      detached: true,
      ...(call.input === undefined ? {stdin: 'ignore' as const} : {input: call.input}),
      ...(find === undefined ? {} : withPipe),
    });
    answer(child.stdio[CREDENTIAL_FD], find);
    const watch = watchOver(child.pid, call);
    const result = await child.finally(watch.end);
    call.signal?.throwIfAborted();
    const stderr = Buffer.from(result.stderr).toString('utf8');
    if (watch.isLate()) throw new SwitchyardError(call.lateCode ?? 'git_failed', `${nameOf(args)} did not end in time`);
    if (/No space left on device|Disk quota exceeded/.test(stderr)) {
      throw new SwitchyardError('disk_full', `${nameOf(args)}: no space left in ${call.cwd}`);
    }
    const exitCode = exitCodeOf(result, call);
    if (exitCode === undefined) {
      const why = result.originalMessage ?? result.signal ?? '';
      throw new SwitchyardError('git_failed', `${nameOf(args)} could not run or was killed: ${why}`);
    }
    return {exitCode, stdout: result.stdout, stderr};
  };
}

const outputMax = ({cutAtBytes = outputBytesMax}: GitCall): number => cutAtBytes;

type Ended = {readonly exitCode?: number | undefined; readonly isMaxBuffer: boolean};

/** Undefined where git was killed, unless it was for more output than was asked for. */
function exitCodeOf({exitCode, isMaxBuffer}: Ended, {cutAtBytes}: GitCall): number | undefined {
  return isMaxBuffer && cutAtBytes !== undefined ? 0 : exitCode;
}

function answer(pipe: unknown, find: FindCredential | undefined): void {
  if (find !== undefined && pipe instanceof Duplex) answerCredentials(pipe, find);
}

/** The pipe for credentials is read by us alone. */
const withPipe = {stdin: undefined, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], buffer: {fd3: false}} as const;

const remoteCommands: ReadonlySet<string> = new Set(['fetch', 'ls-remote', 'push']);

function speaksToOthers([command = '']: readonly string[]): boolean {
  return remoteCommands.has(command);
}

/** Ends the whole process group of git at the deadline or on abort: its helpers would else wait for ever. */
function watchOver(pid: number | undefined, call: GitCall): {isLate: () => boolean; end: () => void} {
  let isLate = false;
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(pid, 'SIGTERM');
    killer ??= setTimeout(() => signalGroup(pid, 'SIGKILL'), killGraceMs);
  };
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, call.deadlineMs ?? defaultDeadlineMs);
  call.signal?.addEventListener('abort', stop, {once: true});
  return {
    isLate: () => isLate,
    end: () => {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', stop);
      if (killer === undefined) return;
      clearTimeout(killer);
      signalGroup(pid, 'SIGKILL');
    },
  };
}

function environmentOf(settings: GitSettings, call: GitCall, asksForCredentials: boolean): Record<string, string> {
  const config = [...alwaysConfig, ...(asksForCredentials ? credentialConfig : [])];
  const optional: Record<string, string | undefined> = {
    GIT_DIR: call.gitDir,
    GIT_COMMON_DIR: call.commonDir,
    GIT_WORK_TREE: call.workTree,
    GIT_INDEX_FILE: call.indexFile,
    GIT_AUTHOR_NAME: call.author?.name,
    GIT_AUTHOR_EMAIL: call.author?.email,
    GIT_COMMITTER_NAME: call.author?.name,
    GIT_COMMITTER_EMAIL: call.author?.email,
  };
  return {
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    ...settings.environment,
    PATH: settings.searchPath,
    HOME: settings.home,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: settings.globalConfigPath ?? '/dev/null',
    GIT_ALLOW_PROTOCOL: (settings.protocols ?? ['https', 'ssh', 'file']).join(':'),
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: '/dev/null',
    GIT_EDITOR: 'true',
    GIT_SEQUENCE_EDITOR: 'true',
    GIT_CONFIG_COUNT: String(config.length),
    ...Object.fromEntries(
      config.flatMap(([key, value], n) => [
        [`GIT_CONFIG_KEY_${n}`, key],
        [`GIT_CONFIG_VALUE_${n}`, value],
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

/** The same as `Git`, for calls where every exit code but 0 is a broken promise: throws `git_failed` with what git printed. */
export async function runGit(git: Git, args: readonly string[], call: GitCall): Promise<Uint8Array> {
  const result = await git(args, call);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return result.stdout;
}

/** Output as text without the final newline. */
export function textOf(output: Uint8Array): string {
  return Buffer.from(output).toString('utf8').replace(/\n$/, '');
}

/**
 * Entries of a NUL-separated listing as binary strings (one character per byte), because a path need not be UTF-8 and
 * has to go back to git unchanged. `shownPath` makes one readable.
 */
export function entriesOf(output: Uint8Array): string[] {
  return Buffer.from(output)
    .toString('latin1')
    .split('\0')
    .filter(entry => entry !== '');
}

/** The reverse of `entriesOf`: what git reads with `-z --stdin`. */
export function entriesInput(entries: readonly string[]): Uint8Array {
  return Buffer.from(entries.map(entry => `${entry}\0`).join(''), 'latin1');
}

export function shownPath(entry: string): string {
  return Buffer.from(entry, 'latin1').toString('utf8');
}

export function gitFailure(args: readonly string[], result: GitResult): SwitchyardError {
  return new SwitchyardError(
    'git_failed',
    `${nameOf(args)} ended with ${result.exitCode}: ${shownError(result.stderr)}`,
  );
}

/** The end of what git printed, without control characters and without the user part of any URL. */
export function shownError(stderr: string): string {
  return stderr
    .replace(/\/\/[^/@\s]+@/g, '//')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(-detailCharactersMax);
}

function nameOf(args: readonly string[]): string {
  return `git ${args[0] ?? ''}`;
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}
