import {errorCodes, type ErrorCode} from '@switchyard/shared/domain/error.ts';
import {promptRoleOf} from '@switchyard/shared/domain/role-defaults.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {Outcome} from '@switchyard/shared/prompts/outcome.ts';
import {outcomeComplaint, proseOf, readOutcome} from '@switchyard/shared/prompts/read-outcome.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {AgentEnd} from './attempt-work.ts';

const DETAIL_MAX = 4_000;

type Told = Pick<TaskSpec, 'agent'>;

/** What an agent stated, and for a review the commit that it is about: its runner says which, not the agent. */
type BoundOutcome = Outcome & {readonly commit?: string | undefined};

/**
 * The end of an agent in the light of the outcome that the prompt of its role asks for. One that gives its task back has
 * not done it, and neither has one whose deployment does not run; every other outcome is work done, also where it is bad
 * news. Without the prompt of a role nothing is asked for and nothing changes. `headSha` is the commit that the worktree
 * began at.
 */
export function roleEnd(
  {agent}: Told,
  end: AgentEnd,
  headSha?: string,
): {readonly end: AgentEnd; readonly outcome: BoundOutcome | null} {
  const role = promptRoleOf(agent);
  if (role === undefined || end.result !== null) return {end, outcome: null};
  const said = end.summary ?? '';
  const reading = readOutcome(role, said);
  if (reading.kind === 'refused') {
    const detail = `the ${role} agent ended without an outcome: ${reading.detail}`;
    return {end: {...end, result: failed('outcome_missing', detail)}, outcome: null};
  }
  const {outcome} = reading;
  const judged = {...end, summary: proseOf(said), result: failureOf(outcome)};
  return {end: judged, outcome: role === 'reviewer' && headSha !== undefined ? {...outcome, commit: headSha} : outcome};
}

/** What to tell an agent whose last words state no outcome; null where none is asked for, or nothing is missing. */
export function roleComplaint({agent}: Told, said: string): string | null {
  const role = promptRoleOf(agent);
  return role === undefined ? null : outcomeComplaint(role, said);
}

function failureOf(outcome: Outcome): AttemptResult | null {
  if (outcome.event === 'agent.escalation') return failed('agent_escalated', outcome.reason);
  return outcome.event === 'deploy.failed' ? failed('deploy_failed', outcome.error) : null;
}

function failed(code: ErrorCode, detail: string): AttemptResult {
  return {kind: 'failed', code, detail: detail.slice(0, DETAIL_MAX), retryable: errorCodes[code].retry};
}
