import {existsSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {taskSpecSchema, type TaskSpec} from '@switchyard/shared/domain/task-spec.ts';

/** Longer than the pause between two beats of a living agent, however busy the machine. */
export const silenceMs = 3_000;

/** The agent of one attempt, as it shows itself in a folder of its own: how often it began, and when it last lived. */
export class AgentMarks {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  get starts(): number {
    return this.#text('starts').split('\n').length - 1;
  }

  has(mark: string): boolean {
    return existsSync(join(this.folder, mark));
  }

  /** Wall clock, milliseconds; undefined before the first beat. The agent and its own child beat ten times a second. */
  get lastBeatMs(): number | undefined {
    const times = ['agent', 'child'].flatMap(mark => {
      const stat = statSync(join(this.folder, mark), {throwIfNoEntry: false});
      return stat === undefined ? [] : [stat.mtimeMs];
    });
    return times.length < 2 ? undefined : Math.max(...times);
  }

  get isSilent(): boolean {
    return this.lastBeatMs === undefined || Date.now() - this.lastBeatMs > silenceMs;
  }

  #text(mark: string): string {
    const path = join(this.folder, mark);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}

const begin = (folder: string): string => `d='${folder}'; mkdir -p "$d"; echo >>"$d/starts"`;

// A folder that is gone ends the agent: nothing outlives the check.
const beat = 'beat() { while :; do echo >>"$d/$1" || exit; sleep 0.1; done 2>/dev/null; }';

/** What an agent does: plain POSIX sh, given the folder for its marks. */
export const agents = {
  /** Lives until it is killed, and heeds no polite signal; neither does its child. */
  stubborn: (folder: string) => `${begin(folder)}; ${beat}; trap '' TERM INT HUP; echo alive; beat child & beat agent`,

  /** Prints lines and ends well. */
  talks: (lines: number) => (folder: string) => `${begin(folder)}; ${printing(1, lines)}`,

  /** Prints lines, waits until somebody makes the file `more`, and prints on. */
  talksTwice: (lines: number) => (folder: string) =>
    `${begin(folder)}; ${printing(1, lines)}; until [ -e "$d/more" ]; do [ -d "$d" ] || exit; sleep 0.05; done; ` +
    printing(lines + 1, 2 * lines),

  /** Prints a line now and then until it has printed them all. */
  mumbles: (lines: number) => (folder: string) =>
    `${begin(folder)}; i=0; while [ "$i" -lt ${lines} ]; do i=$((i+1)); echo "mark $i"; sleep 0.2; done`,

  /** Ends with an exit code of its own. */
  fails: (folder: string) => `${begin(folder)}; echo oh; exit 3`,
} as const;

/** About sixty bytes a line, each numbered, so that a missing or a repeated one is seen. */
function printing(from: number, to: number): string {
  return `i=${from}; while [ "$i" -le ${to} ]; do echo "mark $i of a log that must come home byte for byte"; i=$((i+1)); done`;
}

/** The numbers of the lines that an agent printed, as a log shows them. */
export function marksIn(log: string): readonly number[] {
  return [...log.matchAll(/^mark (\d+)/gm)].map(([, number]) => Number(number));
}

export const specOf = (script: string): TaskSpec => specOfCommand(['/bin/sh', '-c', script]);

export function specOfCommand(command: readonly string[]): TaskSpec {
  return taskSpecSchema.parse({
    prompt: 'Do what the command says.',
    agent: {driver: 'exec', command},
    timeout_ms: 120_000,
  });
}
