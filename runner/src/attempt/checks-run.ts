import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import type {AttemptName} from '../executor/attempt-name.ts';
import type {Executor} from '../executor/executor.ts';
import {writeRunFile, type Deadline} from '../executor/run-directory.ts';
import {CHECKS_FILE, checksDirectoryOf} from './attempt-paths.ts';
import {checksOutput, runProgram, type ProgramHost, type ProgramOutput} from './attempt-program.ts';
import type {AttemptPlan} from './attempt-work.ts';
import {describeEnd} from './run-end.ts';

export type ChecksRun = {
  readonly runDir: string;
  readonly cwd: string;
  readonly deadline: Deadline;
  readonly memory: MemoryLimit | null;
  readonly nodePath: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly host: ProgramHost;
  readonly tell: (detail: string) => Promise<void>;
};

/** `output`: the end of what they printed, without secrets. */
export type ChecksEnd = {readonly passed: boolean; readonly output: string};

const checksProgram = fileURLToPath(new URL('checks-program.ts', import.meta.url));

/** Runs the declared checks of a task in its worktree, as a second program of the attempt. */
export async function runChecks(plan: AttemptPlan, run: ChecksRun): Promise<ChecksEnd> {
  return runIn(plan, run, {as: plan, output: checksOutput(run.runDir)});
}

/**
 * Runs them while the agent waits at the end of a turn. Each round is a program of its own; the log has the end of its
 * output alone, so that the last run is the one that it shows.
 */
export async function runChecksRound(plan: AttemptPlan, run: ChecksRun, round: number): Promise<ChecksEnd> {
  const end = await runIn(plan, run, {
    // Whatever is left of a program ends with it, by the name of its attempt: this one must not be the agent's.
    as: {task: `${plan.task}-checks${round}`, epoch: plan.epoch},
    output: {directory: `${checksDirectoryOf(run.runDir)}-${round}`, streams: {}},
  });
  for (const line of end.output.split('\n')) await run.host.log.note(`checks: ${line}`);
  return end;
}

/** The run directories of all checks of an attempt so far. */
export async function checksDirectories(runDir: string): Promise<readonly string[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter(name => /^checks(?:-\d{1,6})?$/.test(name)).map(name => join(runDir, name));
}

/** Ends what still runs of a round whose agent has ended: nobody waits for it, and the last run must be alone. */
export async function endRounds(executor: Executor, runDir: string): Promise<void> {
  for (const directory of await checksDirectories(runDir)) {
    if (directory === checksDirectoryOf(runDir)) continue;
    const {state} = await executor.status(directory);
    if (state === 'claimed' || state === 'running') await executor.signal(directory, 'SIGKILL', 'its agent has ended');
  }
}

async function runIn(
  plan: AttemptPlan,
  {runDir, cwd, deadline, memory, nodePath, environment, host, tell}: ChecksRun,
  {as, output}: {readonly as: AttemptName; readonly output: ProgramOutput},
): Promise<ChecksEnd> {
  const {checks} = plan.spec;
  await tell(`running ${checks.length === 1 ? 'the declared check' : `${checks.length} declared checks`}`);
  await writeRunFile(runDir, CHECKS_FILE, JSON.stringify(checks));
  const program = {
    output,
    argv: [nodePath, checksProgram, join(runDir, CHECKS_FILE)] as const,
    env: {...environment, SWITCHYARD_TASK: plan.task},
    cwd,
    input: 'none' as const,
    channels: 'merged' as const,
    deadline,
    memoryBytesMax: memory?.bytes,
  };
  const printed = new OutputEnd();
  const status = await runProgram(as, program, {host, watch: async chunks => printed.follow(chunks)});
  const passed = status.state === 'exited' && status.code === 0;
  await host.log.note(passed ? 'the checks passed' : `the checks did not pass: ${describeEnd(status)}`);
  return {passed, output: printed.text(text => host.log.mask(text))};
}

const OUTPUT_CHARACTERS_MAX = 3_000;
/** More than is shown, so that no secret is cut in two before it is masked. */
const OUTPUT_BYTES_KEPT = 16_384;

/** The end of an output of any length. */
class OutputEnd {
  #kept = Buffer.alloc(0);

  async follow(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-OUTPUT_BYTES_KEPT);
  }

  text(mask: (text: string) => string): string {
    return mask(this.#kept.toString('utf8'))
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
      .replace(/[^\P{Cc}\n\t]/gu, '')
      .trim()
      .slice(-OUTPUT_CHARACTERS_MAX);
  }
}
