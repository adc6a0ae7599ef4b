const defaultDeadlineMs = 10 * 60_000;

/** A command that the owner of the runner configured, such as `['npm', 'ci']`; never one that a repository brings. */
export type HookCommand = readonly [program: string, ...args: string[]];

/** Where a hook runs is the caller's business (the host, a container): it is given this and ends it at the deadline. */
export type HookRunner = (run: {
  readonly argv: HookCommand;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}) => Promise<{readonly exitCode: number; readonly output: string}>;

export type HookOutcome =
  | {readonly ok: true}
  | {readonly ok: false; readonly argv: HookCommand; readonly exitCode: number; readonly output: string};

/** Runs the commands one after another in the tree and stops at the first that fails. The deadline is for all together. */
export async function runHooks(
  hooks: readonly HookCommand[],
  how: {
    readonly cwd: string;
    readonly run: HookRunner;
    readonly now: () => number;
    readonly environment?: Readonly<Record<string, string>> | undefined;
    readonly deadlineMs?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<HookOutcome> {
  const endsAtMs = how.now() + (how.deadlineMs ?? defaultDeadlineMs);
  for (const argv of hooks) {
    how.signal?.throwIfAborted();
    const deadlineMs = endsAtMs - how.now();
    if (deadlineMs <= 0) return {ok: false, argv, exitCode: 124, output: 'The deadline of the hooks had passed.'};
    const {exitCode, output} = await how.run({
      argv,
      cwd: how.cwd,
      environment: how.environment ?? {},
      deadlineMs,
      signal: how.signal,
    });
    if (exitCode !== 0) return {ok: false, argv, exitCode, output};
  }
  return {ok: true};
}
