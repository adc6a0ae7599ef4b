import {profileOfRole, type ToolProfile} from '../policy/tool-profile.ts';

export type Role = keyof typeof profileOfRole;

/** What an agent may report. Whatever else it sends is refused. */
export const roleEvents = {
  starter: ['task.plan.created', 'audit.requested', 'deploy.requested', 'task.closed'],
  coding: ['pr.created', 'pr.updated'],
  reviewer: ['pr.approved', 'pr.changes.requested'],
  deployer: ['deploy.completed', 'deploy.failed'],
  verifier: ['verify.passed', 'verify.failed'],
  auditor: ['audit.finding', 'audit.completed'],
} as const satisfies Readonly<Record<Role, readonly string[]>>;

/** Every role may give a task back to a person. */
export const everyRoleEvent = 'agent.escalation';

export type RoleRule = {
  readonly timeoutMs: number;
  /** Where it runs when its task does not say. */
  readonly executor: 'docker' | 'host';
  readonly profile: ToolProfile;
  readonly events: readonly string[];
  /** Whether its work is a change on the branch of the attempt. */
  readonly expectsChange: boolean;
};

const minuteMs = 60_000;
const shape = {
  starter: [10, 'docker'],
  coding: [120, 'docker'],
  reviewer: [30, 'docker'],
  deployer: [30, 'host'],
  verifier: [30, 'docker'],
  auditor: [45, 'docker'],
} as const satisfies Readonly<Record<Role, readonly [number, 'docker' | 'host']>>;

/** What holds for a role where its task says nothing else. */
export function ruleOfRole(role: Role): RoleRule {
  const [minutes, executor] = shape[role];
  return {
    timeoutMs: minutes * minuteMs,
    executor,
    profile: profileOfRole[role],
    events: [...roleEvents[role], everyRoleEvent],
    expectsChange: role === 'coding',
  };
}
