import type {AttemptPlan} from './attempt-work.ts';
import type {AttemptLog} from './attempt-log.ts';
import type {Deadline} from '../executor/run-directory.ts';
import type {Executor, LaunchPlan} from '../executor/executor.ts';
import {isFinal, type RunStatus} from '../executor/run-status.ts';
import type {AgentStream} from '../logs/log-merge.ts';

/** One program of an attempt in a run directory: the agent, or the checks after it. */
export type Program = {
  readonly runDir: string;
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input: 'stream' | 'none';
  readonly channels: 'separate' | 'merged';
  /** Which streams of the log its channels are. */
  readonly streams: Readonly<Partial<Record<'out' | 'err', AgentStream>>>;
  readonly deadline: Deadline;
};

export type ProgramHost = {readonly executor: Executor; readonly log: AttemptLog; readonly signal: AbortSignal};

/**
 * Starts a program unless it was started before, moves its output into the log and resolves with its end when nothing
 * writes any more. An abort leaves the program alone and rejects with the reason of the signal.
 */
export async function runProgram(
  plan: AttemptPlan,
  program: Program,
  {
    host,
    watch,
  }: {readonly host: ProgramHost; readonly watch?: ((chunks: AsyncIterable<Uint8Array>) => Promise<void>) | undefined},
): Promise<RunStatus> {
  const {executor, signal} = host;
  const launch: LaunchPlan = {
    attempt: {task: plan.task, epoch: plan.epoch},
    argv: program.argv,
    env: program.env,
    cwd: program.cwd,
    channels: program.channels,
    input: program.input,
    deadline: program.deadline,
  };
  await executor.launch(launch, program.runDir);
  const readers = Object.entries(program.streams).map(async ([channel, stream]) =>
    host.log.pump(
      stream,
      from =>
        bytesOf(executor.tail(program.runDir, {channel: channel === 'err' ? 'err' : 'out', offset: from, signal})),
      signal,
    ),
  );
  if (watch !== undefined)
    readers.push(watch(bytesOf(executor.tail(program.runDir, {channel: 'out', offset: 0, tellsEnd: true, signal}))));
  await Promise.all(readers);
  signal.throwIfAborted();
  const status = await executor.status(program.runDir);
  if (!isFinal(status)) throw new Error(`the output of ${program.runDir} ended while it is ${status.state}`);
  return status;
}

async function* bytesOf(
  chunks: AsyncIterable<{readonly bytes: Uint8Array}>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const {bytes} of chunks) yield bytes;
}
