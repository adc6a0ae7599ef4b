import {expect, onTestFinished, test, vi} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {
  defaultAgentLimits,
  firstSigns,
  judgeRunaway,
  looked,
  noted,
  seen,
  type AgentLimits,
  type AgentUse,
  type SeenEvent,
  type Signs,
} from '@switchyard/shared/policy/runaway.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import type {PersonReply} from '../../../runner/src/agent/tool-gate.ts';
import type {OpenAsk, PersonAsk} from '../../../runner/src/attempt/ask-desk.ts';
import type {AgentEnd, AttemptPlan, WorkObserver} from '../../../runner/src/attempt/attempt-work.ts';
import {RunawayWatch} from '../../../runner/src/attempt/runaway-watch.ts';

const {toolCallsPerMinuteMax, messagesPerMinuteMax, agentStallMs, agentDeadAirMs} = limits;
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
  const quiet = firstSigns(0);
  expect(judgeRunaway(quiet, agentStallMs - 1)).toBeNull();
  expect(judgeRunaway(quiet, agentStallMs)).toMatchObject({killedBy: 'stall'});
  const event = (signs: Signs, of: SeenEvent): Signs => noted(signs, of, 0);
  const working = event(quiet, {kind: 'tool_call', id: 'a'});
  expect(judgeRunaway(working, 10 * agentStallMs)).toBeNull();
  expect(
    judgeRunaway(event(working, {kind: 'tool_call_update', id: 'a', status: 'in_progress'}), 10 * agentStallMs),
  ).toBeNull();
  expect(
    judgeRunaway(event(working, {kind: 'tool_call_update', id: 'a', status: 'failed'}), 10 * agentStallMs),
  ).not.toBeNull();
  expect(judgeRunaway(seen(quiet, agentStallMs), 2 * agentStallMs - 1)).toBeNull();
});

const plan: AttemptPlan = {task: 't', epoch: 1, spec: taskSpecSchema.parse({prompt: 'x'}), branch: 'b', logTicket: ''};
const done: AgentEnd = {exitCode: 0, signal: null, summary: null, result: null};
const deaf = {phaseDetail: () => undefined, agentEvent: () => undefined} as unknown as WorkObserver;

/** A watch over an agent that only a test moves, with a clock that the test turns. */
function watched(allowed: Partial<AgentLimits> = {}) {
  vi.useFakeTimers({now: 0});
  onTestFinished(() => void vi.useRealTimers());
  const at: {output: number; model: number; use: AgentUse | null} = {output: 0, model: 0, use: null};
  const watch = new RunawayWatch({
    outputBytes: () => at.output,
    modelBytes: () => at.model,
    use: async () => at.use,
    limitsOf: () => ({...defaultAgentLimits, ...allowed}),
    nowMs: Date.now,
  });
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

const idle = {rssBytes: 1_000, cpuMs: 500, processes: 2};

test('[BG28] a quiet agent whose tool computes is not ended, however long that takes', async () => {
  const {at, watch, guarded, isAborted} = watched();
  const observer = watch.hear(deaf);
  observer.agentEvent(plan, {seq: 0, kind: 'tool_call', data: {id: 'build'}});
  for (let minute = 0; minute < 300; minute += 1) {
    // A quarter of one processor, and not a byte.
    at.use = {...idle, cpuMs: minute * 15_000};
    await vi.advanceTimersByTimeAsync(60_000);
  }
  expect(isAborted()).toBe(false);
  await vi.advanceTimersByTimeAsync(agentDeadAirMs + 10_000);
  await expect(guarded).rejects.toMatchObject({
    code: 'agent_runaway',
    detail: expect.stringContaining('killed by dead_air'),
  });
});

test('[BG32] a tool that neither says nor computes anything is dead air, and without a look at processors nobody can tell', () => {
  const working = (use: AgentUse | null): Signs =>
    looked(noted(firstSigns(0), {kind: 'tool_call', id: 'a'}, 0), use, {nowMs: 0, elapsedMs: 0});
  expect(judgeRunaway(working(idle), agentDeadAirMs - 1)).toBeNull();
  expect(judgeRunaway(working(idle), agentDeadAirMs)).toMatchObject({killedBy: 'dead_air'});
  expect(judgeRunaway(working(null), 10 * agentDeadAirMs)).toBeNull();
});

test.for([
  {cpuMs: 500, isBusy: true},
  {cpuMs: 499, isBusy: false},
  {cpuMs: -3_000, isBusy: false},
])('[BG28] $cpuMs ms of a processor within ten seconds: a sign of life is $isBusy', ({cpuMs, isBusy}) => {
  const before = looked(firstSigns(0), {...idle, cpuMs: 9_000}, {nowMs: 0, elapsedMs: 0});
  const after = looked(before, {...idle, cpuMs: 9_000 + cpuMs}, {nowMs: 10_000, elapsedMs: 10_000});
  expect(after.lastSignMs).toBe(isBusy ? 10_000 : 0);
});

test.for(['close', 'withdraw', 'answer'] as const)(
  '[BG28] an agent that waits for a person is not silent, and is watched again after %s',
  async end => {
    const {watch, guarded, isAborted} = watched();
    const {promise, resolve} = Promise.withResolvers<PersonReply>();
    const open: OpenAsk = {answer: promise, close: () => undefined, withdraw: () => undefined};
    const ask = watch.hear({...deaf, askPerson: () => open}).askPerson(plan, {} as PersonAsk);
    await vi.advanceTimersByTimeAsync(5 * agentStallMs);
    expect(isAborted()).toBe(false);
    if (end === 'answer') resolve({decision: 'approve', text: '', by: null});
    else ask[end]();
    await vi.advanceTimersByTimeAsync(agentStallMs - 20_000);
    expect(isAborted()).toBe(false);
    await vi.advanceTimersByTimeAsync(40_000);
    await expect(guarded).rejects.toMatchObject({detail: expect.stringContaining('killed by stall')});
  },
);

test.for([
  {allowed: {memory: {bytes: 999, by: 'policy'}}, killedBy: 'memory'},
  {allowed: {processesMax: 1}, killedBy: 'processes'},
] as const)(
  '[BG33] an attempt that uses more than the owner of the machine allows is ended by $killedBy',
  async ({allowed, killedBy}) => {
    const {at, guarded, isAborted} = watched(allowed);
    at.use = {rssBytes: 999, cpuMs: 0, processes: 1};
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isAborted()).toBe(false);
    at.use = idle;
    await vi.advanceTimersByTimeAsync(10_000);
    await expect(guarded).rejects.toMatchObject({
      code: 'agent_runaway',
      detail: expect.stringContaining(`killed by ${killedBy}`),
    });
  },
);

test('[BG27] an agent that behaves ends as it ends', async () => {
  const {agent, guarded} = watched();
  agent.resolve(done);
  expect(await guarded).toBe(done);
  expect(vi.getTimerCount()).toBe(0);
});
