import {join} from 'node:path';
import {attemptLabel, checkAttemptName, type AttemptName} from '../executor/attempt-name.ts';

/** Where the files of attempts lie under the state directory of a runner. */
export function runDirectoryOf(stateDirectory: string, attempt: AttemptName): string {
  return join(stateDirectory, 'runs', attemptLabel(attempt));
}

/** The run directory of the declared checks: they run as a second program of the same attempt. */
export function checksDirectoryOf(runDir: string): string {
  return join(runDir, 'checks');
}

/** What the agent of a task keeps from attempt to attempt. */
export function agentDirectoryOf(stateDirectory: string, task: string): string {
  checkAttemptName({task, epoch: 1});
  return join(stateDirectory, 'agents', task);
}

/** Settings and session of the agent's program. */
export function agentHomeOf(stateDirectory: string, task: string): string {
  return join(agentDirectoryOf(stateDirectory, task), 'home');
}

/** Where a task without a repository is worked on. */
export function scratchDirectoryOf(stateDirectory: string, task: string): string {
  return join(agentDirectoryOf(stateDirectory, task), 'work');
}

export const PROMPT_FILE = 'prompt';
export const CHECKS_FILE = 'checks.json';
/** The merged and redacted log of the attempt, as `LogSpool` writes it. */
export const LOG_FILE = 'log';

/** Where the control plane takes the log of an attempt. */
export function logAddress(controlPlane: string, {task, epoch}: AttemptName): string {
  const url = new URL(`/v1/runner/log/${task}?epoch=${epoch}`, controlPlane);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
