import {checksDirectoryOf} from './attempt-paths.ts';
import type {AttemptLog} from './attempt-log.ts';
import type {AttemptName} from '../executor/attempt-name.ts';
import type {Deadline} from '../executor/run-directory.ts';
import type {Executor, LaunchPlan} from '../executor/executor.ts';
import {isFinal, type RunStatus} from '../executor/run-status.ts';
import type {AgentStream} from '../logs/log-merge.ts';

/** Where a program of an attempt runs, and which streams of the log its channels are. */
export type ProgramOutput = {
  readonly directory: string;
  readonly streams: Readonly<Partial<Record<'out' | 'err', AgentStream>>>;
};

export function agentOutput(runDir: string): ProgramOutput {
  return {directory: runDir, streams: {out: 'out', err: 'err'}};
}

export function checksOutput(runDir: string): ProgramOutput {
  return {directory: checksDirectoryOf(runDir), streams: {out: 'checks'}};
}

/** One program of an attempt in a run directory: the agent, or the checks after it. */
export type Program = {
  readonly output: ProgramOutput;
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input: 'stream' | 'none';
  readonly channels: 'separate' | 'merged';
  readonly deadline: Deadline;
  readonly memoryBytesMax: number | undefined;
};

export type ProgramHost = {readonly executor: Executor; readonly log: AttemptLog; readonly signal: AbortSignal};

/**
 * Starts a program unless it was started before, moves its output into the log and resolves with its end when nothing
 * writes any more. An abort leaves the program alone and rejects with the reason of the signal.
 */
export async function runProgram(
  {task, epoch}: AttemptName,
  program: Program,
  {
    host,
    watch,
  }: {readonly host: ProgramHost; readonly watch?: ((chunks: AsyncIterable<Uint8Array>) => Promise<void>) | undefined},
): Promise<RunStatus> {
  const {executor, signal} = host;
  const runDir = program.output.directory;
  const launch: LaunchPlan = {
    attempt: {task, epoch},
    argv: program.argv,
    env: program.env,
    cwd: program.cwd,
    channels: program.channels,
    input: program.input,
    deadline: program.deadline,
    memoryBytesMax: program.memoryBytesMax,
  };
  await executor.launch(launch, runDir);
  const readers = [moveOutput(program.output, host)];
  if (watch !== undefined)
    readers.push(watch(bytesOf(executor.tail(runDir, {channel: 'out', offset: 0, tellsEnd: true, signal}))));
  await Promise.all(readers);
  signal.throwIfAborted();
  const status = await executor.status(runDir);
  if (!isFinal(status)) throw new Error(`the output of ${runDir} ended while it is ${status.state}`);
  return status;
}

/** Moves what a program writes into the log, from where the log is to its end. */
export async function moveOutput(
  {directory, streams}: ProgramOutput,
  {executor, log, signal}: ProgramHost,
): Promise<void> {
  const channels = (['out', 'err'] as const).map(async channel => {
    const stream = streams[channel];
    if (stream === undefined) return;
    await log.pump(stream, offset => bytesOf(executor.tail(directory, {channel, offset, signal})), signal);
  });
  await Promise.all(channels);
}

async function* bytesOf(
  chunks: AsyncIterable<{readonly bytes: Uint8Array}>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const {bytes} of chunks) yield bytes;
}
