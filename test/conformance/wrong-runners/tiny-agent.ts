import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {bootMs, type TinyAttempt} from './tiny-state.ts';

/**
 * Runs the agent in a process group of its own, writes its end to a file, and kills the group past the deadline in
 * another file, whether or not a runner lives. The wall clock stands in for the boot clock, which plain sh cannot read.
 */
const shim = `f=$1; shift
mkdir "$f/claim" 2>/dev/null || exit 0
echo $$ >"$f/pid.tmp"; mv "$f/pid.tmp" "$f/pid"
trap : TERM
( while sleep 0.2; do
    [ -e "$f/exit" ] && exit
    [ "$(date +%s)" -ge "$(cat "$f/deadline" || echo 0)" ] && kill -9 -$$
  done ) >/dev/null 2>&1 &
"$@" </dev/null >>"$f/log" 2>&1
echo $? >"$f/exit.tmp"; mv "$f/exit.tmp" "$f/exit"`;

/** The process of one attempt, known by its folder alone, so that the next runner finds it where this one left it. */
export class TinyAgent {
  readonly folder: string;

  constructor(root: string, {task, epoch}: Pick<TinyAttempt, 'task' | 'epoch'>) {
    this.folder = join(root, `${task}-e${epoch}`);
  }

  start(command: readonly string[]): void {
    mkdirSync(this.folder, {recursive: true});
    writeFileSync(this.logPath, '', {flag: 'a'});
    const args = ['-c', shim, 'shim', this.folder, ...command];
    spawn('/bin/sh', args, {detached: true, stdio: 'ignore', cwd: this.folder}).unref();
  }

  get logPath(): string {
    return join(this.folder, 'log');
  }

  get logLength(): number {
    return statSync(this.logPath, {throwIfNoEntry: false})?.size ?? 0;
  }

  /** Undefined while it runs; null when it was killed. */
  get end(): number | null | undefined {
    const pid = this.#read('pid');
    const hasEnded = pid !== undefined && !isAlive(-Number(pid));
    // Looked for last: it may be written at any moment before the end.
    const text = this.#read('exit');
    return text === undefined ? (hasEnded ? null : undefined) : Number(text);
  }

  /** Past this time of the boot clock the shim kills. */
  extend(deadlineMs: number): void {
    mkdirSync(this.folder, {recursive: true});
    const wallS = Math.floor((Date.now() + deadlineMs - bootMs()) / 1_000);
    writeFileSync(join(this.folder, 'deadline.tmp'), String(wallS));
    renameSync(join(this.folder, 'deadline.tmp'), join(this.folder, 'deadline'));
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const pid = this.#read('pid');
    if (pid !== undefined) send(-Number(pid), signal);
  }

  #read(name: string): string | undefined {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  }
}

function send(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const isAlive = (pid: number): boolean => send(pid, 0);
