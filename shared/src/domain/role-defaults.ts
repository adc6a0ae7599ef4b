import {limits} from '../policy/limits.ts';
import {usualRole} from '../policy/tool-profile.ts';
import {ruleOfRole, type Role} from '../prompts/role.ts';

/** What holds where a task says nothing: what it states comes first, then its role, then what holds for everybody. */

type Typed = {readonly type?: Role | undefined};

export function roleOf({type}: Typed): Role {
  return type ?? usualRole;
}

/** How long one attempt may run. */
export function timeoutMsOf({
  timeout_ms: stated,
  agent: {type},
}: {
  readonly timeout_ms?: number | undefined;
  readonly agent: Typed;
}): number {
  return stated ?? (type === undefined ? limits.taskTimeoutDefaultMs : ruleOfRole(type).timeoutMs);
}

/** Whether the completion needs a change on the branch of the attempt; asked where there is a repository. */
export function expectsChange({
  expect_change: stated,
  agent,
}: {
  readonly expect_change?: boolean | undefined;
  readonly agent: Typed;
}): boolean {
  return stated ?? ruleOfRole(roleOf(agent)).expectsChange;
}

const ownPrograms: ReadonlySet<string> = new Set(['exec', 'scripted']);

/** Whether the driver asks a model, which reads a prompt as it is meant; any other program takes it as its input. */
export function asksModel({driver}: {readonly driver: string}): boolean {
  return !ownPrograms.has(driver);
}

/**
 * The role whose prompt an agent is given; undefined where it gets the prompt of its task as it is. Who names a role
 * wants its prompt, who names none has written the prompt.
 */
export function promptRoleOf(
  agent: Typed & {readonly prompt?: 'role' | 'as_is' | undefined; readonly driver: string},
): Role | undefined {
  const wanted = agent.prompt ?? (agent.type === undefined ? 'as_is' : 'role');
  return wanted === 'role' && asksModel(agent) ? roleOf(agent) : undefined;
}

type Concurrency = {
  readonly key: string;
  readonly limit: number;
  readonly mode: 'queue' | 'cancel_in_progress' | 'cancel_newest';
};

/**
 * How many tasks of one key run at once. Deployments of a repository take turns: the lock is the lease of the attempt, so
 * that no agent has to give it back, and none that died keeps it.
 */
export function concurrencyOf({
  concurrency: stated,
  agent: {type},
  repository,
}: {
  readonly concurrency?: Concurrency | undefined;
  readonly agent: Typed;
  readonly repository?: {readonly url: string} | undefined;
}): Concurrency | undefined {
  if (stated !== undefined || type !== 'deployer' || repository === undefined) return stated;
  return {key: `deploy:${repository.url}`, limit: 1, mode: 'queue'};
}
