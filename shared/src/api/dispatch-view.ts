import * as z from 'zod';
import {taskSpecSchema, type TaskSpec} from '../domain/task-spec.ts';
import {limits} from '../policy/limits.ts';
import {canonicalState, stateViews} from './state-views.ts';
import type {TaskView} from './task-view.ts';

/**
 * The API of dispatchers that exist already (`POST /tasks` with `X-Dispatch-*`), as a view over tasks. Unknown fields
 * are let through unread: these clients are not ours to correct.
 */
const text = (max: number) => z.string().min(1).max(max);

export const dispatchRequestSchema = z.object({
  taskId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/, 'expected 1 to 200 letters, digits and . _ : -'),
  workerType: z.enum(['opus', 'auto', 'glm']),
  prompt: text(limits.promptCharactersMax),
  repository: text(2_048).optional(),
  baseBranch: text(200).default('development'),
  linearIssueId: text(200).optional(),
  linearIssueTitle: text(500).optional(),
  slug: text(200).optional(),
  webhookUrl: z.url({protocol: /^https?$/}).max(2_048),
  webhookSecret: text(1_000),
  actionId: text(200).optional(),
  /** `false`: 503 when no runner is free at once. */
  queue: z.boolean().optional(),
});
export type DispatchRequest = z.output<typeof dispatchRequestSchema>;

const owned = /^[A-Za-z0-9][A-Za-z0-9-]*\/[A-Za-z0-9._-]+$/;

/**
 * The spec of a dispatched task. What a view may show is in its metadata; the secret and the address of the callback
 * are in neither. Throws a `ZodError` where the fields make no valid spec.
 */
export function dispatchSpec(request: DispatchRequest): TaskSpec {
  const {taskId, workerType, prompt, repository, baseBranch, linearIssueId, linearIssueTitle, slug, actionId} = request;
  const metadata = {
    dispatch_id: taskId,
    worker_type: workerType,
    linear_issue_id: linearIssueId,
    slug,
    action_id: actionId,
  };
  const url = repository !== undefined && owned.test(repository) ? `https://github.com/${repository}.git` : repository;
  return taskSpecSchema.parse({
    title: linearIssueTitle ?? slug ?? taskId,
    prompt,
    ...(url === undefined ? {} : {repository: {url, base: baseBranch}}),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)),
  });
}

/** Codes that such a client knows; every other code of ours is passed on as it is. */
const dispatchCodes: Readonly<Record<string, string>> = {
  agent_timeout: 'timeout',
  agent_no_change: 'NO_PR_CREATED',
  lease_lost: 'interrupted',
  checks_failed: 'ci_failed',
};

export function dispatchTask(task: TaskView) {
  const {spec, metadata} = task;
  return {
    taskId: metadata['dispatch_id'] ?? task.id,
    status: stateViews[canonicalState(task)].taskC,
    workerType: metadata['worker_type'] ?? null,
    prompt: spec.prompt,
    repository: spec.repository?.url ?? null,
    baseBranch: spec.repository?.base ?? null,
    linearIssueId: metadata['linear_issue_id'] ?? null,
    slug: metadata['slug'] ?? null,
    actionId: metadata['action_id'] ?? null,
    branch: task.branch,
    createdAt: isoTime(task.created_ms),
    startedAt: isoTime(task.started_ms),
    completedAt: isoTime(task.finished_ms),
    result: resultOf(task),
    error: errorOf(task),
  };
}

/** No pull request is opened for such a task yet, so its address is null. */
function resultOf({state, result}: TaskView) {
  if (state !== 'succeeded') return null;
  const git = result?.git ?? null;
  return {prUrl: null, branch: git?.branch ?? null, commits: git?.commits ?? 0, summary: result?.summary ?? null};
}

function errorOf(task: TaskView) {
  const status = stateViews[canonicalState(task)].taskC;
  if (status !== 'failed' && status !== 'interrupted') return null;
  const failure = task.failures.at(-1);
  const code = task.state === 'timed_out' ? 'agent_timeout' : (failure?.code ?? 'internal');
  return {code: dispatchCodes[code] ?? code, message: failure?.detail ?? 'the task did not succeed'};
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
