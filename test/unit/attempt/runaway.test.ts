import {expect, onTestFinished, test, vi} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {firstSigns, judgeRunaway, noted, seen, type SeenEvent, type Signs} from '@switchyard/shared/policy/runaway.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import type {AgentEnd, AttemptPlan, WorkObserver} from '../../../runner/src/attempt/attempt-work.ts';
import {RunawayWatch} from '../../../runner/src/attempt/runaway-watch.ts';

const {toolCallsPerMinuteMax, messagesPerMinuteMax, agentStallMs} = limits;
const startMs = 60_000;

function many(count: number, {kind, everyMs, from = startMs}: {kind: string; everyMs: number; from?: number}): Signs {
  let signs = firstSigns(0);
  for (let index = 0; index < count; index += 1) {
    signs = noted(signs, {kind, id: String(index)}, from + index * everyMs);
    signs = noted(signs, {kind: 'tool_call_update', id: String(index), status: 'completed'}, from + index * everyMs);
  }
  return signs;
}

const endOf = (count: number, everyMs: number): number => startMs + (count - 1) * everyMs;

test('[BG27] too many tool calls within a minute end an agent, as many as are allowed do not', () => {
  const [most, over] = [toolCallsPerMinuteMax, toolCallsPerMinuteMax + 1];
  expect(judgeRunaway(many(most, {kind: 'tool_call', everyMs: 100}), endOf(most, 100))).toBeNull();
  expect(judgeRunaway(many(over, {kind: 'tool_call', everyMs: 100}), endOf(over, 100))).toMatchObject({
    killedBy: 'tool_rate',
  });
  const slow = 60_000 / most;
  expect(judgeRunaway(many(3 * most, {kind: 'tool_call', everyMs: slow}), endOf(3 * most, slow))).toBeNull();
});

test('[BG27] an agent that talks without end is ended', () => {
  const over = messagesPerMinuteMax + 1;
  const signs = many(over, {kind: 'agent_message_chunk', everyMs: 1});
  expect(judgeRunaway(signs, endOf(over, 1))).toMatchObject({killedBy: 'message_rate'});
});

test('[BG28] what is read again in the first minute counts for nothing', () => {
  const signs = many(10 * toolCallsPerMinuteMax, {kind: 'tool_call', everyMs: 0, from: 100});
  expect(judgeRunaway(signs, 200)).toBeNull();
});

test('[BG27] silence ends an agent when it is long enough, and not while a tool is at work', () => {
  const idle = firstSigns(0);
  expect(judgeRunaway(idle, agentStallMs - 1)).toBeNull();
  expect(judgeRunaway(idle, agentStallMs)).toMatchObject({killedBy: 'stall'});
  const event = (signs: Signs, of: SeenEvent): Signs => noted(signs, of, 0);
  const working = event(idle, {kind: 'tool_call', id: 'a'});
  expect(judgeRunaway(working, 10 * agentStallMs)).toBeNull();
  expect(
    judgeRunaway(event(working, {kind: 'tool_call_update', id: 'a', status: 'in_progress'}), 10 * agentStallMs),
  ).toBeNull();
  expect(
    judgeRunaway(event(working, {kind: 'tool_call_update', id: 'a', status: 'failed'}), 10 * agentStallMs),
  ).not.toBeNull();
  expect(judgeRunaway(seen(idle, agentStallMs), 2 * agentStallMs - 1)).toBeNull();
});

const plan: AttemptPlan = {task: 't', epoch: 1, spec: taskSpecSchema.parse({prompt: 'x'}), branch: 'b', logTicket: ''};
const done: AgentEnd = {exitCode: 0, signal: null, summary: null, result: null};
const deaf = {phaseDetail: () => undefined, agentEvent: () => undefined} as unknown as WorkObserver;

/** A watch over an agent that only a test moves, with a clock that the test turns. */
function watched() {
  vi.useFakeTimers({now: 0});
  onTestFinished(() => void vi.useRealTimers());
  const at = {output: 0, model: 0};
  const watch = new RunawayWatch({outputBytes: () => at.output, modelBytes: () => at.model, nowMs: Date.now});
  const agent = Promise.withResolvers<AgentEnd>();
  let until: AbortSignal | undefined;
  const guarded = watch.guard(plan, new AbortController().signal, async signal => {
    until = signal;
    return agent.promise;
  });
  // Looked at by the test when its time has come.
  guarded.catch(() => undefined);
  return {at, watch, agent, guarded, isAborted: () => until?.aborted === true};
}

test.for(['output', 'model'] as const)(
  '[BG28] bytes of the %s are a sign of life, and without them the agent is ended',
  async source => {
    const {at, guarded, isAborted} = watched();
    await vi.advanceTimersByTimeAsync(agentStallMs - 60_000);
    at[source] += 1;
    await vi.advanceTimersByTimeAsync(agentStallMs - 60_000);
    expect(isAborted()).toBe(false);
    await vi.advanceTimersByTimeAsync(120_000);
    await expect(guarded).rejects.toMatchObject({
      code: 'agent_runaway',
      detail: expect.stringContaining('killed by stall'),
    });
    expect(isAborted()).toBe(true);
  },
);

test('[BG27] an agent that runs in circles is ended by its events, which others hear as well', async () => {
  const {watch, guarded} = watched();
  const heard: string[] = [];
  const observer = watch.hear({...deaf, agentEvent: (_, {kind}) => void heard.push(kind)});
  await vi.advanceTimersByTimeAsync(120_000);
  for (let seq = 0; seq <= toolCallsPerMinuteMax; seq += 1)
    observer.agentEvent(plan, {seq, kind: 'tool_call', data: {id: String(seq)}});
  await vi.advanceTimersByTimeAsync(10_000);
  await expect(guarded).rejects.toMatchObject({detail: expect.stringContaining('killed by tool_rate')});
  expect(heard).toHaveLength(toolCallsPerMinuteMax + 1);
});

test('[BG27] an agent that behaves ends as it ends', async () => {
  const {agent, guarded} = watched();
  agent.resolve(done);
  expect(await guarded).toBe(done);
  expect(vi.getTimerCount()).toBe(0);
});
