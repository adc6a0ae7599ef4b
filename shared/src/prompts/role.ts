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
  readonly profile: ToolProfile;
  readonly events: readonly string[];
  /** Whether its work is a change on the branch of the attempt. */
  readonly expectsChange: boolean;
};

const minuteMs = 60_000;
const minutesOf = {
  starter: 10,
  coding: 120,
  reviewer: 30,
  deployer: 30,
  verifier: 30,
  auditor: 45,
} as const satisfies Readonly<Record<Role, number>>;

/** What holds for a role where its task says nothing else. */
export function ruleOfRole(role: Role): RoleRule {
  return {
    timeoutMs: minutesOf[role] * minuteMs,
    profile: profileOfRole[role],
    events: [...roleEvents[role], everyRoleEvent],
    expectsChange: role === 'coding',
  };
}
