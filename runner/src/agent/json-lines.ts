import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {AgentEvent, Decoded, Driver, ProcessEnd, Reading} from './driver.ts';

/** What is remembered of the lines so far. */
export type LinesState = {readonly summary: string | null; readonly error: string | null};

export const linesInitial: LinesState = {summary: null, error: null};

/** An agent that needs nothing after its start, asks nothing and is done when its process has ended. */
export const silent: Pick<Driver<LinesState>, 'due' | 'asks' | 'answer' | 'hasTaken' | 'isDone' | 'isPutOff'> = {
  due: () => [],
  asks: () => [],
  answer: () => null,
  hasTaken: () => true,
  isDone: () => false,
  isPutOff: () => false,
};

const SUMMARY_CHARACTERS_MAX = 20_000;
const EVENT_CHARACTERS_MAX = 32_768;

const eventLine = z.looseObject({type: z.string().min(1).max(60)});
const resultLine = z.looseObject({
  type: z.literal('result'),
  summary: z.string().optional(),
  result: z.string().optional(),
  is_error: z.boolean().optional(),
});

/**
 * One event per line: an object with a `type`. The last `{"type":"result"}` carries the summary, and `is_error` says
 * that the agent gave up. Anything else on the line is log text, not an error: agents print what they like.
 */
export function decodeJsonLine(state: LinesState, line: string): Decoded<LinesState> {
  const isRead = line.startsWith('{') && line.length <= EVENT_CHARACTERS_MAX;
  const json = isRead ? parseJson(line, limits.eventLevelsMax) : undefined;
  const event = eventLine.safeParse(json);
  if (!event.success) return {state, events: []};
  const result = resultLine.safeParse(json);
  if (result.success) return {state: withResult(result.data), events: []};
  const {type, ...data} = event.data;
  return {state, events: [{kind: eventKind(type), data} satisfies AgentEvent]};
}

function withResult({summary, result, is_error: isError}: z.output<typeof resultLine>): LinesState {
  const text = (summary ?? result ?? '').slice(0, SUMMARY_CHARACTERS_MAX);
  return {summary: text, error: isError === true ? text : null};
}

/** Event kinds of the protocol are lower-case words; what an agent calls its events is brought into that form. */
function eventKind(type: string): string {
  const kind = type
    .toLowerCase()
    .replaceAll(/[^a-z_.]+/g, '_')
    .replace(/^[_.]+/, '')
    .slice(0, 60);
  return kind === '' ? 'agent' : kind;
}

/** An agent that ends by a signal or a non-zero code has failed, whatever it left behind; that is worth another try. */
export function readEnd(state: LinesState, {exitCode, signal}: ProcessEnd): Reading {
  const detail = state.error ?? endDetail(exitCode, signal);
  const failure: AttemptResult | null =
    detail === null ? null : {kind: 'failed', code: 'agent_failed', detail: detail.slice(0, 4_000), retryable: true};
  return {summary: state.summary, failure, deferred: null};
}

function endDetail(exitCode: number | null, signal: string | null): string | null {
  if (signal !== null) return `the agent was ended by ${signal}`;
  if (exitCode === 127) return 'the command of the agent was not found on this runner';
  if (exitCode === 126) return 'the command of the agent could not be executed';
  return exitCode === 0 ? null : `the agent ended with exit code ${exitCode ?? 'unknown'}`;
}
