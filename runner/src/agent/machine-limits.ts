import type {Charter} from '@switchyard/shared/domain/charter.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {tokenBudgetLabels, type TokenBudget} from '@switchyard/shared/domain/token-budget.ts';
import {sources} from '@switchyard/shared/policy/budget.ts';
import {memoryLimitText, narrowestMemory, type MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import {passesMemoryOn} from '../executor/cgroup-memory.ts';
import {loginLabels} from './own-login.ts';
import type {Policy} from '../state/policy-file.ts';

/** What the owner of a machine wrote down; either may say nothing. */
export type OwnersWord = {
  readonly policy: Pick<Policy, 'attempts' | 'agents'>;
  readonly charter: Pick<Charter, 'resourceLimits'> | null;
};

/** What the programs of an attempt may hold: a task can narrow what its machine allows, and no more. */
export function memoryOf(
  {policy, charter}: OwnersWord,
  task: Pick<TaskSpec, 'memory_bytes_max'> = {},
): MemoryLimit | null {
  return narrowestMemory({
    charter: charter?.resourceLimits.memory,
    policy: policy.attempts.memory_bytes_max,
    task: task.memory_bytes_max,
  });
}

/** What the control plane has to know of it before it offers anything. */
export function ownersLabels({policy, charter}: OwnersWord): readonly string[] {
  return [...tokenBudgetLabels(charter?.resourceLimits.tokenBudget ?? {}), ...loginLabels(policy)];
}

export const memoryHolders = ['cgroup', 'samples'] as const;
export type MemoryHolder = (typeof memoryHolders)[number];

/** Whether the kernel holds limits of memory in this place for cgroups, or somebody looks every ten seconds. */
export async function memoryHolder(cgroupBase: string | undefined): Promise<MemoryHolder> {
  return cgroupBase !== undefined && (await passesMemoryOn(cgroupBase)) ? 'cgroup' : 'samples';
}

type Holder = MemoryHolder | 'runner' | 'budgets';

/** A limit of this machine, for people, and what holds it. */
export type HeldLimit = {readonly limit: string; readonly heldBy: Holder};

const how: Readonly<Record<Holder, string>> = {
  runner: 'by the slots of the runner',
  cgroup: 'at once, by the kernel: memory.max of a cgroup',
  samples: 'by a look every 10 s: no cgroup with a memory controller is delegated to the runner',
  budgets: 'by budgets of the pool for this machine: switchyard budget list',
};

export const limitLine = ({limit, heldBy}: HeldLimit): string => `${limit} (held ${how[heldBy]})`;

/** What the charter and the policy of this machine limit. */
export function heldLimits(owner: OwnersWord, memoryHeldBy: MemoryHolder): readonly HeldLimit[] {
  const {maxSessions, tokenBudget = {}} = owner.charter?.resourceLimits ?? {};
  const memory = memoryOf(owner);
  const tokens = tokenWords(tokenBudget).join(', ');
  const sessions = maxSessions === undefined ? null : `at most ${maxSessions} attempts at once`;
  const found: readonly {readonly limit: string | null; readonly heldBy: Holder}[] = [
    {limit: sessions, heldBy: 'runner'},
    {limit: memory && `memory of each attempt: ${memoryLimitText(memory)}`, heldBy: memoryHeldBy},
    {limit: tokens === '' ? null : `tokens: ${tokens}`, heldBy: 'budgets'},
  ];
  return found.flatMap(({limit, heldBy}) => (limit === null ? [] : [{limit, heldBy}]));
}

function tokenWords(budget: TokenBudget): readonly string[] {
  return [
    ...sources.flatMap(source => {
      const percent = budget[source];
      return percent === undefined ? [] : [`${source} ${percent} % of each budget`];
    }),
    ...(budget.hourly === undefined ? [] : [`${budget.hourly} tokens an hour`]),
    ...(budget.daily === undefined ? [] : [`${budget.daily} tokens a day`]),
  ];
}
