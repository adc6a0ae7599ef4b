import * as z from 'zod';
import {utf8} from '../crypto/bytes.ts';
import {statedOutcomeSchema, type ToldRole} from '../protocol/exit-record.ts';
import type {LogEnding} from '../protocol/log-view.ts';
import {canonicalState, canonicalStates, stateViews, type CanonicalState} from './state-views.ts';

/**
 * An agent of the older orchestration API is a view of one attempt: one execution of a task, numbered by its epoch. What
 * only waits has no agent yet.
 */
export const agentStatuses = ['starting', 'running', 'completed', 'failed', 'timeout', 'killed'] as const;
export type AgentStatus = (typeof agentStatuses)[number];

/** One attempt as the Fleet remembers it. Times are milliseconds since 1970. */
export type AttemptRecord = {
  readonly task: string;
  readonly epoch: number;
  readonly agentType: string;
  readonly state: CanonicalState;
  readonly phase: string | null;
  readonly runner: string | null;
  readonly title: string;
  readonly repository: string | null;
  readonly branch: string | null;
  /** When its runner accepted it; null while it is only offered. */
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly exitCode: number | null;
  /** What went wrong, as a code of ours and in words. */
  readonly code: string | null;
  readonly detail: string | null;
  /** What its agent said last. */
  readonly said: string | null;
  /** Which prompt of a role it was told, and what it stated as its outcome. */
  readonly role: ToldRole | null;
  /** Of the task. */
  readonly metadata: Readonly<Record<string, string>>;
};

const isoTime = z.iso.datetime();

/** The columns of the older table, with the same names. */
export const agentViewSchema = z
  .object({
    id: z.string(),
    task_id: z.string(),
    /** No attempt runs in a container of the control plane's own. */
    container_id: z.null(),
    status: z.enum(agentStatuses),
    agent_type: z.string(),
    started_at: isoTime.nullable(),
    completed_at: isoTime.nullable(),
    exit_code: z.int().nullable(),
    error: z.string().nullable(),
    /** What the agent said last, without the outcome that it stated. */
    result: z.string().nullable(),
    /** Where the log is read: it is not copied into this answer. */
    logs: z.string(),
    metadata: z.object({
      epoch: z.int(),
      phase: z.string().nullable(),
      runner: z.string().nullable(),
      title: z.string(),
      repository: z.string().nullable(),
      branch: z.string().nullable(),
      /** The code of `error`, for programs. */
      code: z.string().nullable(),
      /** Role and version of the prompt that the agent was told; null where that was the prompt of the task as it is. */
      prompt: z.string().nullable(),
      /** What it stated as the outcome of its role. */
      outcome: statedOutcomeSchema.nullable(),
      /** Metadata of the task. */
      task: z.record(z.string(), z.string()),
    }),
  })
  .meta({id: 'Agent'});
export type AgentView = z.output<typeof agentViewSchema>;

export function agentView(id: string, attempt: AttemptRecord): AgentView {
  const {task, epoch, agentType, state, phase, runner, title, repository, branch, code, detail, said, role, metadata} =
    attempt;
  const known = {epoch, phase, runner, title, repository, branch, code};
  return {
    id,
    task_id: task,
    container_id: null,
    status: agentStatus(state),
    agent_type: agentType,
    started_at: isoText(attempt.startedMs),
    completed_at: isoText(attempt.endedMs),
    exit_code: attempt.exitCode,
    error: code === null ? detail : `${code}: ${detail ?? ''}`,
    result: said,
    logs: `/api/agents/${id}/logs`,
    metadata: {...known, prompt: role?.prompt ?? null, outcome: role?.outcome ?? null, task: {...metadata}},
  };
}

/** An attempt exists only from its offer on, so its state always has a word; `starting` stands for those without. */
export function agentStatus(state: CanonicalState): AgentStatus {
  return stateViews[state].agentB ?? 'starting';
}

/** The status with which the log of an attempt ends. */
export function endedAgentStatus(ending: LogEnding): AgentStatus {
  return agentStatus(ending === 'interrupted' ? ending : canonicalState({state: ending, phase: null}));
}

/** The canonical states that an agent of one of these statuses may have. */
export function statesOfAgents(statuses: readonly AgentStatus[]): readonly CanonicalState[] {
  return canonicalStates.filter(state => statuses.some(status => stateViews[state].agentB === status));
}

/**
 * The id under which the older API knows an attempt: its type and eight hexadecimal digits that follow from task and
 * epoch. Thirty-two bits are few, so two attempts of a large pool may get the same: whoever gives ids out takes the next
 * `salt` for the later one, and remembers what was given.
 */
export function agentId(
  {task, epoch, agentType}: Pick<AttemptRecord, 'task' | 'epoch' | 'agentType'>,
  salt: number,
): string {
  return `${agentType}-${hash32(`${task}/${epoch}/${salt}`).toString(16).padStart(8, '0')}`;
}

/** FNV-1a, and the last mixing step of MurmurHash3, so that texts that differ in their end differ everywhere. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function isoText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
