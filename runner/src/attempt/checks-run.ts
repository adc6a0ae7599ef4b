import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {writeRunFile, type Deadline} from '../executor/run-directory.ts';
import {CHECKS_FILE} from './attempt-paths.ts';
import {checksOutput, runProgram, type ProgramHost} from './attempt-program.ts';
import type {AttemptPlan} from './attempt-work.ts';
import {describeEnd} from './run-end.ts';

export type ChecksRun = {
  readonly runDir: string;
  readonly cwd: string;
  readonly deadline: Deadline;
  readonly nodePath: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly host: ProgramHost;
  readonly tell: (detail: string) => Promise<void>;
};

const checksProgram = fileURLToPath(new URL('checks-program.ts', import.meta.url));

/** Runs the declared checks of a task in its worktree, as a second program of the attempt. */
export async function checksPass(
  plan: AttemptPlan,
  {runDir, cwd, deadline, nodePath, environment, host, tell}: ChecksRun,
): Promise<boolean> {
  const {checks} = plan.spec;
  await tell(`running ${checks.length === 1 ? 'the declared check' : `${checks.length} declared checks`}`);
  await writeRunFile(runDir, CHECKS_FILE, JSON.stringify(checks));
  const program = {
    output: checksOutput(runDir),
    argv: [nodePath, checksProgram, join(runDir, CHECKS_FILE)] as const,
    env: {...environment, SWITCHYARD_TASK: plan.task},
    cwd,
    input: 'none' as const,
    channels: 'merged' as const,
    deadline,
  };
  const status = await runProgram(plan, program, {host});
  const passed = status.state === 'exited' && status.code === 0;
  await host.log.note(passed ? 'the checks passed' : `the checks did not pass: ${describeEnd(status)}`);
  return passed;
}
