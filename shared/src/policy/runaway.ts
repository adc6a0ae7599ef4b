import {byteText} from './byte-size.ts';
import {limits} from './limits.ts';
import {memoryLimitText, type MemoryLimit} from './memory-limit.ts';

/** What is seen of an agent that runs. Times are milliseconds of one clock. */
export type Signs = {
  /** Tool calls and messages of the last minute, oldest first. */
  readonly toolCallsMs: readonly number[];
  readonly messagesMs: readonly number[];
  /** Tool calls that have begun and not ended. */
  readonly openTools: readonly string[];
  /** Questions of it that wait for a person. */
  readonly openAsks: number;
  /** An event, a byte of output or between it and a model, or processors at work for it. */
  readonly lastSignMs: number;
  /** What its processes use; null before the first look, and where nobody can tell. */
  readonly use: AgentUse | null;
  /** Before this time events may be those of an earlier process that are read again: they have no times of their own. */
  readonly countsFromMs: number;
};

export type AgentUse = {
  /** The sum over its processes: memory that they share counts once for each. */
  readonly rssBytes: number;
  readonly cpuMs: number;
  readonly processes: number;
  /** What the kernel lets them hold together, where it holds a limit. */
  readonly heldMemoryBytesMax?: number | undefined;
};

/** What an attempt may do and use; null where nothing limits it. */
export type AgentLimits = {
  readonly toolCallsPerMinuteMax: number;
  readonly messagesPerMinuteMax: number;
  readonly stallMs: number;
  readonly deadAirMs: number;
  readonly memory: MemoryLimit | null;
  readonly processesMax: number | null;
};

export const defaultAgentLimits: AgentLimits = {
  toolCallsPerMinuteMax: limits.toolCallsPerMinuteMax,
  messagesPerMinuteMax: limits.messagesPerMinuteMax,
  stallMs: limits.agentStallMs,
  deadAirMs: limits.agentDeadAirMs,
  memory: null,
  processesMax: null,
};

export const runawayReasons = ['tool_rate', 'message_rate', 'stall', 'dead_air', 'memory', 'processes'] as const;
export type Runaway = {readonly killedBy: (typeof runawayReasons)[number]; readonly detail: string};

const minuteMs = 60_000;

export function firstSigns(nowMs: number): Signs {
  return {
    toolCallsMs: [],
    messagesMs: [],
    openTools: [],
    openAsks: 0,
    lastSignMs: nowMs,
    countsFromMs: nowMs + minuteMs,
    use: null,
  };
}

/** The agent gave a sign of life that is no event. */
export function seen(signs: Signs, nowMs: number): Signs {
  return {...signs, lastSignMs: Math.max(signs.lastSignMs, nowMs)};
}

/** A person was asked, or waits no longer: the time that people take is no silence of the agent. */
export function asked(signs: Signs, change: 1 | -1, nowMs: number): Signs {
  return seen({...signs, openAsks: Math.max(0, signs.openAsks + change)}, nowMs);
}

/** Less than this part of one processor is what programs use that wait. */
const BUSY_PART = 0.05;

/** A look at the processes, `elapsedMs` after the one before. Work of a processor is a sign of life. */
export function looked(
  signs: Signs,
  use: AgentUse | null,
  {nowMs, elapsedMs}: {nowMs: number; elapsedMs: number},
): Signs {
  const {use: before} = signs;
  const isBusy = use !== null && before !== null && use.cpuMs - before.cpuMs >= elapsedMs * BUSY_PART;
  return {...(isBusy ? seen(signs, nowMs) : signs), use};
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

/**
 * Whether an agent has run away: in circles, into silence, or beyond what it may use. Silence is judged by events, bytes
 * and processors together; while a tool is at work it has to last longer, and nobody can tell it where processors cannot
 * be read.
 */
export function judgeRunaway(signs: Signs, nowMs: number, allowed: AgentLimits = defaultAgentLimits): Runaway | null {
  return judgeRates(signs, nowMs, allowed) ?? judgeUse(signs, allowed) ?? judgeSilence(signs, nowMs, allowed);
}

function judgeRates(
  {toolCallsMs, messagesMs}: Signs,
  nowMs: number,
  {toolCallsPerMinuteMax, messagesPerMinuteMax}: AgentLimits,
): Runaway | null {
  const within = (times: readonly number[]): number => times.filter(time => time > nowMs - minuteMs).length;
  const [tools, messages] = [within(toolCallsMs), within(messagesMs)];
  if (tools > toolCallsPerMinuteMax)
    return {killedBy: 'tool_rate', detail: `${tools} tool calls within a minute, at most ${toolCallsPerMinuteMax}`};
  if (messages > messagesPerMinuteMax)
    return {killedBy: 'message_rate', detail: `${messages} messages within a minute, at most ${messagesPerMinuteMax}`};
  return null;
}

function judgeUse({use}: Signs, {memory, processesMax}: AgentLimits): Runaway | null {
  if (use !== null && memory !== null && use.rssBytes > memory.bytes && !isHeld(use, memory))
    return {
      killedBy: 'memory',
      detail: `its processes hold ${byteText(use.rssBytes)} of memory, at most ${memoryLimitText(memory)}`,
    };
  if (use !== null && processesMax !== null && use.processes > processesMax)
    return {killedBy: 'processes', detail: `${use.processes} processes at once, at most ${processesMax}`};
  return null;
}

/** The kernel knows what is shared, and lets nobody beyond its limit. */
const isHeld = ({heldMemoryBytesMax = Infinity}: AgentUse, {bytes}: MemoryLimit): boolean =>
  heldMemoryBytesMax <= bytes;

function judgeSilence(
  {openAsks, openTools, lastSignMs, use}: Signs,
  nowMs: number,
  {stallMs, deadAirMs}: AgentLimits,
): Runaway | null {
  const silentMs = nowMs - lastSignMs;
  if (openAsks > 0) return null;
  if (openTools.length === 0 && silentMs >= stallMs)
    return {
      killedBy: 'stall',
      detail: `no event, no byte and no work of a processor for ${stallMs} ms, and no tool at work`,
    };
  if (openTools.length > 0 && use !== null && silentMs >= deadAirMs)
    return {
      killedBy: 'dead_air',
      detail: `a tool is said to be at work, without a byte or any work of a processor for ${deadAirMs} ms`,
    };
  return null;
}
