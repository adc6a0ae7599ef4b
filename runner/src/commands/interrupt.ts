import type {ExitCode} from './surroundings.ts';

/** Runs until it ends or Ctrl-C comes: then it is aborted and the exit code is 130. */
export async function untilInterrupted(
  run: (signal: AbortSignal) => Promise<ExitCode | void>,
): Promise<ExitCode | void> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  try {
    return await run(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return 130;
    throw error;
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
