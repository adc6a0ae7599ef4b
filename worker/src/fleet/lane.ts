import {nameOrNull} from '@switchyard/shared/domain/repository-name.ts';
import * as z from 'zod';
import {agentLabel} from '@switchyard/shared/domain/labels.ts';
import {asksModel, concurrencyOf, roleOf} from '@switchyard/shared/domain/role-defaults.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {slotClass} from '@switchyard/shared/domain/slots.ts';
import type {Spender} from './budget-row.ts';
import {againstLabel, memoryLabel, meterLabel, modelsLabel} from './version-label.ts';

/**
 * Tasks of one lane are alike in everything that decides whether they can be placed: class of slot, fairness key,
 * required labels, concurrency and budgets. So the head of a lane speaks for all of them, and a lane that cannot move costs one
 * look, however many tasks wait in it.
 */
export type LaneKey = {
  readonly slotClass: string;
  readonly fairnessKey: string;
  readonly requires: readonly string[];
  readonly concurrency: {readonly key: string; readonly limit: number} | null;
  /** Whose budgets its tasks count for. */
  readonly spender: Spender;
};

const laneText = z
  .tuple([
    z.string(),
    z.string(),
    z.array(z.string()),
    z.string().nullable(),
    z.number(),
    z.string(),
    z.string().nullable(),
  ])
  .transform(([slotClass, fairnessKey, requires, key, limit, agent_type, repository]): LaneKey => ({
    slotClass,
    fairnessKey,
    requires,
    concurrency: key === null ? null : {key, limit},
    spender: {agent_type, repository: nameOrNull(repository)},
  }));

/** Text that two tasks share exactly when they share a lane. */
export function laneOf(spec: TaskSpec): string {
  const concurrency = concurrencyOf(spec);
  return JSON.stringify([
    slotClass(spec),
    spec.fairness_key ?? spec.repository?.url ?? '',
    [...new Set([...spec.requires, ...needsOf(spec)])].toSorted(),
    concurrency?.key ?? null,
    concurrency?.limit ?? 0,
    roleOf(spec.agent),
    spec.repository?.url ?? null,
  ]);
}

/** Labels that a task needs because of what it is, whatever it requires. */
function needsOf({agent, budget, memory_bytes_max, repository}: TaskSpec): readonly string[] {
  return [
    ...(asksModel(agent) ? [agentLabel(agent.driver)] : []),
    ...(budget === undefined ? [] : [meterLabel]),
    ...(memory_bytes_max === undefined ? [] : [memoryLabel]),
    ...(agent.models === undefined ? [] : [modelsLabel]),
    ...(repository?.against === undefined ? [] : [againstLabel]),
  ];
}

const meterNeed = `"${meterLabel}"`;

/** Whether the tasks of a lane have a budget of their own. */
export function hasMeter(text: string): boolean {
  return text.includes(meterNeed);
}

/** The label that every runner has of itself. */
const ownLabel = 'runner=';

export function labelOfRunner(runner: string): string {
  return `${ownLabel}${runner}`;
}

/** Whether only one runner takes from this lane. */
export function isPinnedLane(text: string): boolean {
  return text.includes(`"${ownLabel}rnr_`);
}

/** The lane of the tasks that are like those of this one and need one more label. */
export function pinnedLane(text: string, label: string): string {
  const {slotClass: slot, fairnessKey, requires, concurrency, spender} = readLane(text);
  const labels = [...new Set([...requires, label])].toSorted();
  const {agent_type, repository} = spender;
  const {key = null, limit = 0} = concurrency ?? {};
  return JSON.stringify([slot, fairnessKey, labels, key, limit, agent_type, repository]);
}

export function readLane(text: string): LaneKey {
  return laneText.parse(JSON.parse(text));
}
