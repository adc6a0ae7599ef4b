export type StopCause = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'lifeline' | 'finished';

export type UntilStoppedOptions = {
  /** Whether the end of standard input counts: true for a process that another one started with a pipe. */
  readonly lifeline: boolean;
  readonly finished?: Promise<unknown>;
};

/** Resolves with the first thing that asks this process to stop. Later signals do nothing more. */
export async function untilStopped({lifeline, finished}: UntilStoppedOptions): Promise<StopCause> {
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
    finished?.then(() => resolve('finished'), reject);
    if (!lifeline) return;
    const cut = (): void => resolve('lifeline');
    process.stdin.on('end', cut).on('close', cut).on('error', cut).resume();
  });
}
