import {limits} from './limits.ts';

/** What is seen of an agent that runs. Times are milliseconds of one clock. */
export type Signs = {
  /** Tool calls and messages of the last minute, oldest first. */
  readonly toolCallsMs: readonly number[];
  readonly messagesMs: readonly number[];
  /** Tool calls that have begun and not ended. */
  readonly openTools: readonly string[];
  /** Output, a byte between it and a model, or an event. */
  readonly lastSignMs: number;
  /** Before this time events may be those of an earlier process that are read again: they have no times of their own. */
  readonly countsFromMs: number;
};

export const runawayReasons = ['tool_rate', 'message_rate', 'stall'] as const;
export type Runaway = {readonly killedBy: (typeof runawayReasons)[number]; readonly detail: string};

const minuteMs = 60_000;

export function firstSigns(nowMs: number): Signs {
  return {toolCallsMs: [], messagesMs: [], openTools: [], lastSignMs: nowMs, countsFromMs: nowMs + minuteMs};
}

/** The agent gave a sign of life that is no event. */
export function seen(signs: Signs, nowMs: number): Signs {
  return {...signs, lastSignMs: Math.max(signs.lastSignMs, nowMs)};
}

export type SeenEvent = {readonly kind: string; readonly id?: string | undefined; readonly status?: string | undefined};

export function noted(before: Signs, {kind, id, status}: SeenEvent, nowMs: number): Signs {
  const signs = seen(before, nowMs);
  const counts = nowMs >= signs.countsFromMs;
  if (kind === 'tool_call') {
    const openTools = id === undefined ? signs.openTools : [...signs.openTools.filter(open => open !== id), id];
    return {...signs, openTools, toolCallsMs: counts ? lastMinute(signs.toolCallsMs, nowMs) : signs.toolCallsMs};
  }
  if (kind === 'tool_call_update' && status !== 'in_progress')
    return {...signs, openTools: signs.openTools.filter(open => open !== id)};
  if (kind === 'agent_message_chunk' && counts) return {...signs, messagesMs: lastMinute(signs.messagesMs, nowMs)};
  return signs;
}

const lastMinute = (times: readonly number[], nowMs: number): readonly number[] => [
  ...times.filter(time => time > nowMs - minuteMs),
  nowMs,
];

/** Whether an agent has run away: in circles, or into silence although no tool of it is at work. */
export function judgeRunaway(signs: Signs, nowMs: number): Runaway | null {
  const within = (times: readonly number[]): number => times.filter(time => time > nowMs - minuteMs).length;
  const {toolCallsPerMinuteMax, messagesPerMinuteMax, agentStallMs} = limits;
  const [tools, messages] = [within(signs.toolCallsMs), within(signs.messagesMs)];
  if (tools > toolCallsPerMinuteMax)
    return {killedBy: 'tool_rate', detail: `${tools} tool calls within a minute, at most ${toolCallsPerMinuteMax}`};
  if (messages > messagesPerMinuteMax)
    return {killedBy: 'message_rate', detail: `${messages} messages within a minute, at most ${messagesPerMinuteMax}`};
  if (signs.openTools.length === 0 && nowMs - signs.lastSignMs >= agentStallMs)
    return {killedBy: 'stall', detail: `no output and no byte of a model for ${agentStallMs} ms, and no tool at work`};
  return null;
}
