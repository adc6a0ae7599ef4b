import {errorCodes, type ErrorCode} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {ProcessEnd, Reading} from '../driver.ts';
import type {ClaudeResult} from './claude-line.ts';
import type {ClaudeState, ClaudeTurn, ClaudeUsage} from './claude-state.ts';

const DETAIL_MAX = 4_000;

/**
 * What a `result` line means. Its subtype `success` says only that the program did not break: an error of the model API
 * after all retries is a `success` with `is_error`, and a turn in which every tool was denied is one without.
 */
export function turnOf(line: ClaudeResult): ClaudeTurn {
  const reason = line.terminal_reason ?? line.subtype;
  const text = line.result ?? line.errors?.join('; ') ?? '';
  return {
    outcome: outcomeOf(line),
    reason,
    text,
    status: line.api_error_status ?? null,
    deferred: line.deferred_tool_use?.id ?? null,
    denials: line.permission_denials?.length ?? 0,
  };
}

function outcomeOf(line: ClaudeResult): ClaudeTurn['outcome'] {
  if (line.subtype === 'error_max_turns' || line.subtype === 'error_max_budget_usd') return 'limit';
  // One that is put off again right after it was resumed gives no reason.
  if (line.deferred_tool_use && !line.is_error) return 'deferred';
  if (line.terminal_reason === 'api_error' || typeof line.api_error_status === 'number') return 'model_error';
  if (line.terminal_reason?.startsWith('aborted') === true) return 'aborted';
  return line.is_error || line.subtype !== 'success' ? 'failed' : 'completed';
}

/** Totals of all models, subagents included; `usage` of the line counts the main conversation only. */
export function usageOf({modelUsage, num_turns: turns, total_cost_usd: cost}: ClaudeResult): ClaudeUsage {
  const models = Object.values(modelUsage ?? {});
  const sum = (of: (usage: (typeof models)[number]) => number): number =>
    models.reduce((total, usage) => total + Math.round(of(usage)), 0);
  return {
    input_tokens: sum(({inputTokens}) => inputTokens),
    output_tokens: sum(({outputTokens}) => outputTokens),
    cache_read_tokens: sum(({cacheReadInputTokens}) => cacheReadInputTokens),
    cache_write_tokens: sum(({cacheCreationInputTokens}) => cacheCreationInputTokens),
    turns: Math.round(turns),
    cost_usd: cost ?? null,
  };
}

export function readClaudeEnd({turn}: ClaudeState, {exitCode, signal}: ProcessEnd): Reading {
  const summary = turn === null || turn.text === '' ? null : turn.text.slice(-limits.lastMessageCharactersMax);
  if (turn === null) {
    const how = signal === null ? `with exit code ${exitCode ?? 'unknown'}` : `by ${signal}`;
    return {summary, deferred: null, failure: failed('agent_failed', `claude ended ${how} before its turn was over`)};
  }
  return {summary, deferred: turn.outcome === 'deferred' ? turn.deferred : null, failure: failureOf(turn)};
}

function failureOf(turn: ClaudeTurn): AttemptResult | null {
  switch (turn.outcome) {
    case 'completed':
    case 'deferred':
      return null;
    case 'limit':
      return turn.reason.includes('budget')
        ? failed('budget_spent', `the agent reached its budget: ${turn.text}`)
        : failed('turn_limit', `the agent reached its limit of turns: ${turn.text}`);
    case 'model_error':
      return modelFailure(turn);
    case 'aborted':
      return failed('agent_failed', `the turn of the agent was interrupted (${turn.reason})`);
    case 'failed':
      return failed('agent_failed', turn.text === '' ? turn.reason : turn.text);
  }
}

/** The queue owns the long waits: the agent has tried a few times and gave up. */
function modelFailure({status, text}: ClaudeTurn): AttemptResult {
  if (/budget/i.test(text) && status === 429) return failed('budget_spent', text);
  if (status === 401 || status === 403) return failed('model_refused', text);
  if (status === 400 || status === 402 || status === 404 || status === 413) return failed('model_refused', text);
  return failed('model_unavailable', text);
}

function failed(code: ErrorCode, detail: string): AttemptResult {
  return {kind: 'failed', code, detail: detail.slice(0, DETAIL_MAX), retryable: errorCodes[code].retry};
}
