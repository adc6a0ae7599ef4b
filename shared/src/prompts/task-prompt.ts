import {agentId} from '../api/agent-view.ts';
import type {AgentCallName} from '../domain/agent-call.ts';
import {promptRoleOf, timeoutMsOf} from '../domain/role-defaults.ts';
import type {TaskSpec} from '../domain/task-spec.ts';
import type {Brief, Change} from './brief.ts';
import {promptOf} from './prompt.ts';
import type {Role} from './role.ts';

export type TaskPrompt = {
  readonly text: string;
  /** Role and version of the text, such as `coding@1.0.0`; null where it is the prompt of the task as it is. */
  readonly version: string | null;
};

type Attempt = {readonly task: string; readonly epoch: number; readonly spec: TaskSpec};

/** What the agent of an attempt is told first. The same attempt and change always make the same text. */
export function taskPrompt(attempt: Attempt, change?: Change): TaskPrompt {
  const role = promptRoleOf(attempt.spec.agent);
  if (role === undefined) return {text: attempt.spec.prompt, version: null};
  const {text, version} = promptOf(role, {...briefOf(role, attempt), change});
  return {text, version: `${role}@${version}`};
}

/**
 * What an agent is told of the change that its task is about: a reviewer all of it, because its tools only read; who
 * mends a change its commits, and asks git itself. Null where the task is about none.
 */
export function toldOfChange({agent, brief}: Pick<TaskSpec, 'agent' | 'brief'>): 'whole' | 'commits' | null {
  const role = promptRoleOf(agent);
  if (role === 'reviewer') return 'whole';
  return role === 'coding' && brief?.review_feedback !== undefined ? 'commits' : null;
}

const reportTool: AgentCallName = 'emit_event';

/** The branch is left out: an agent that goes on in a later attempt would have been told the name of an earlier one. */
function briefOf(role: Role, {task, epoch, spec}: Attempt): Brief {
  const {plan, review_feedback: reviewFeedback, focus_areas: focusAreas, ...brief} = spec.brief ?? {};
  return {
    ancestors: brief.ancestors,
    siblings: brief.siblings,
    comments: brief.comments,
    repositories: brief.repositories,
    url: brief.url,
    pullRequest: brief.pull_request,
    plan: plan === undefined ? undefined : JSON.stringify(plan, null, 1),
    reviewFeedback,
    focusAreas,
    agent: agentId({task, epoch, agentType: role}, 0),
    task,
    timeoutMs: timeoutMsOf(spec),
    title: spec.title ?? '',
    description: spec.prompt,
    repository: spec.repository?.url,
    base: spec.repository?.base,
    reportTool,
  };
}
