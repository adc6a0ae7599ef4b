import * as z from 'zod';
import {SwitchyardError} from './error.ts';
import {timeoutMsOf} from './role-defaults.ts';
import type {SubtaskWish} from './agent-call.ts';
import {taskSpecSchema, type TaskSpec} from './task-spec.ts';
import {profileOf, toolProfiles, type ToolProfile} from '../policy/tool-profile.ts';

/** Each holds those before it. */
const profiles = ['readonly', 'developer', 'full-access'] as const satisfies readonly ToolProfile[];

const narrower = (left: ToolProfile, right: ToolProfile): ToolProfile =>
  profiles.indexOf(left) < profiles.indexOf(right) ? left : right;

/**
 * The spec of a part of the work that an agent hands to another one. It goes where its parent may go and is never given
 * more than its parent: tools, priority, time, memory, attempts and budget. What only the parent is about stays with it: its brief,
 * its dependencies, its concurrency key.
 *
 * Throws `invalid_request` where that makes no valid task.
 */
export function subtaskSpec(parent: TaskSpec, {title, prompt, agent_type}: SubtaskWish): TaskSpec {
  const {repository, agent, executor, checks, priority, requires, prefers, budget, memory_bytes_max, attempts_max} =
    parent;
  const type = agent_type ?? agent.type;
  const profile = type === agent.type ? profileOf(agent) : narrower(profileOf(agent), profileOf({type}));
  const ofProfile: readonly string[] = toolProfiles[profile];
  const tools = agent.tools?.filter(tool => ofProfile.includes(tool));
  const spec = taskSpecSchema.safeParse({
    title,
    prompt,
    repository: type === 'reviewer' ? repository : withoutChange(repository),
    agent: {...agent, type, profile, tools},
    executor,
    checks: type === agent.type ? checks : [],
    priority,
    requires,
    prefers,
    budget,
    timeout_ms: Math.min(timeoutMsOf(parent), timeoutMsOf({...parent, agent: {type}})),
    memory_bytes_max,
    attempts_max,
    deadline_ms: parent.deadline_ms,
    fairness_key: parent.fairness_key,
  });
  if (spec.success) return spec.data;
  throw new SwitchyardError('invalid_request', z.prettifyError(spec.error).slice(0, 1_000));
}

/** What a change is to be merged into is for its reviewer. */
function withoutChange(repository: TaskSpec['repository']): TaskSpec['repository'] {
  if (repository === undefined) return undefined;
  const {against: _reviewed, ...place} = repository;
  return place;
}
