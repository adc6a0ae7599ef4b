import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {acpDriver} from '../../../runner/src/agent/acp/acp-driver.ts';
import type {Answer} from '../../../runner/src/agent/driver.ts';
import {AgentSession, type SessionPorts} from '../../../runner/src/attempt/agent-session.ts';
import {until} from '../../fixtures/until.ts';
import {driverInput} from '../agent/driver-input.ts';

const spec = taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'gemini'}});

/** What outlives a process of the runner: the output of the agent, and which lines were claimed. */
type Disk = {readonly output: string[]; readonly claimed: Set<string>};

type Line = {readonly id?: unknown; readonly method?: string; readonly params?: {readonly prompt?: unknown}};

/** One process of the runner with its agent; the agent says what the test lets it say. */
function process(
  disk: Disk = {output: [], claimed: new Set()},
  decide: SessionPorts['decide'] = async () => ({kind: 'allow', reason: ''}),
) {
  const written: Line[] = [];
  const queue: Uint8Array[] = disk.output.map(line => Buffer.from(line));
  queue.push(new Uint8Array());
  let wake = Promise.withResolvers<void>();
  const state = {finished: false, ended: false};
  const session = new AgentSession(acpDriver('gemini'), driverInput(spec), {
    write: async bytes => void written.push(JSON.parse(Buffer.from(bytes).toString()) as Line),
    claim: async id => !disk.claimed.has(id) && disk.claimed.add(id) !== undefined,
    claimed: async () => new Set(disk.claimed),
    decide,
    finish: async () => {
      state.finished = true;
    },
    onEvent: () => undefined,
    onDecision: async () => undefined,
    onFailure: error => {
      throw error;
    },
  });
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    while (!state.ended || queue.length > 0) {
      const chunk = queue.shift();
      if (chunk === undefined) await wake.promise;
      else yield chunk;
    }
  }
  const followed = session.follow(chunks());
  const says = (message: object): void => {
    const line = `${JSON.stringify({jsonrpc: '2.0', ...message})}\n`;
    disk.output.push(line);
    queue.push(Buffer.from(line), new Uint8Array());
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const wrote = async (method: string, count = 1): Promise<Line> => {
    const found = (): readonly Line[] => written.filter(line => line.method === method);
    await until(`${count} of ${method}`, () => found().length >= count);
    const line = found()[count - 1];
    if (line === undefined) throw new Error('no line');
    return line;
  };
  const begin = async (): Promise<void> => {
    await wrote('initialize');
    says({id: 1, result: {}});
    await wrote('session/new');
    says({id: 2, result: {sessionId: 's'}});
    await wrote('session/prompt');
  };
  return {
    disk,
    session,
    written,
    says,
    wrote,
    begin,
    isFinished: () => state.finished,
    end: async () => {
      state.ended = true;
      wake.resolve();
      await followed;
    },
  };
}

const cancelled = {stopReason: 'cancelled'};
const prompts = ({written}: ReturnType<typeof process>) => written.filter(({method}) => method === 'session/prompt');

test('[CP11] a message is the next prompt after the turn that it interrupted, and is said to be delivered then', async () => {
  const first = process();
  await first.begin();
  const delivered = first.session.message('m1', 'not so');
  const again = first.session.message('m1', 'not so');
  await first.wrote('session/cancel');
  expect(prompts(first)).toHaveLength(1);
  const second = first.session.message('m2', 'and so');
  first.says({id: 3, result: cancelled});
  expect(await Promise.all([delivered, again, second])).toEqual([true, true, true]);
  const prompt = await first.wrote('session/prompt', 2);
  expect(JSON.stringify(prompt.params)).toMatch(/not so.*and so/);
  first.says({id: prompt.id, result: {stopReason: 'end_turn'}});
  await until('the agent is let go', first.isFinished);
  expect(prompts(first)).toHaveLength(2);
});

test('[CP11] a message that the agent did not live to take was not delivered', async () => {
  const first = process();
  await first.begin();
  const delivered = first.session.message('m1', 'not so');
  await first.wrote('session/cancel');
  await first.end();
  expect(await delivered).toBe(false);
  expect(await first.session.message('m2', 'and so')).toBe(false);
});

test('[CP12] the next process of the runner waits for the turn that an earlier one began, and begins none itself', async () => {
  const first = process();
  await first.begin();
  const delivered = first.session.message('m1', 'not so');
  await first.wrote('session/cancel');
  first.says({id: 3, result: cancelled});
  const prompt = await first.wrote('session/prompt', 2);
  expect(await delivered).toBe(true);
  const next = process(first.disk);
  next.says({
    method: 'session/update',
    params: {update: {sessionUpdate: 'agent_message_chunk', content: {type: 'text', text: 'x'}}},
  });
  await until('the output was read', () => next.session.end({exitCode: 0, signal: null}).summary === 'x');
  expect(next.isFinished()).toBe(false);
  next.says({id: prompt.id, result: {stopReason: 'end_turn'}});
  await until('the agent is let go', next.isFinished);
  expect(next.written).toEqual([]);
});

test('[CP12] a turn that was interrupted for a message which the runner did not live to hand over goes on', async () => {
  const first = process();
  await first.begin();
  void first.session.message('m1', 'not so');
  await first.wrote('session/cancel');
  const next = process(first.disk);
  next.says({id: 3, result: cancelled});
  expect(JSON.stringify((await next.wrote('session/prompt')).params)).toContain('Go on');
  expect(next.isFinished()).toBe(false);
});

test('[CP10] an agent whose turn has ended is let go when that is decided, and not before', async () => {
  const asked = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<Answer>();
  const {begin, says, isFinished} = process(undefined, async () => {
    asked.resolve();
    return mayEnd.promise;
  });
  await begin();
  says({id: 3, result: {stopReason: 'end_turn'}});
  await asked.promise;
  expect(isFinished()).toBe(false);
  mayEnd.resolve({kind: 'allow', reason: 'complete'});
  await until('the agent is let go', isFinished);
});
