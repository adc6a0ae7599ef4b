import type {Charter} from '@switchyard/shared/domain/charter.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {tokenBudgetLabels} from '@switchyard/shared/domain/token-budget.ts';
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

export type HeldLimit = {readonly name: 'sessions' | 'memory' | 'tokens'; readonly says: string; readonly how: string};

const how: Readonly<Record<MemoryHolder, string>> = {
  cgroup: 'the kernel ends at once what goes beyond (cgroup memory.max)',
  samples: 'looked at every 10 s: no cgroup with a memory controller is delegated to the runner',
};

/** The limits of this machine that are held, and by what, for people. */
export function heldLimits(owner: OwnersWord, holder: MemoryHolder): readonly HeldLimit[] {
  const {maxSessions, tokenBudget} = owner.charter?.resourceLimits ?? {};
  const memory = memoryOf(owner);
  const tokens = tokenBudget === undefined ? [] : tokenWords(tokenBudget);
  return [
    ...(maxSessions === undefined
      ? []
      : [
          {
            name: 'sessions',
            says: `at most ${maxSessions} attempts at once`,
            how: 'the runner offers no more slots',
          } as const,
        ]),
    ...(memory === null
      ? []
      : [{name: 'memory', says: `each attempt holds at most ${memoryLimitText(memory)}`, how: how[holder]} as const]),
    ...(tokens.length === 0
      ? []
      : [
          {
            name: 'tokens',
            says: tokens.join(', '),
            how: 'budgets of the pool for this machine (switchyard budget list)',
          } as const,
        ]),
  ];
}

type TokenBudget = NonNullable<Charter['resourceLimits']['tokenBudget']>;

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
