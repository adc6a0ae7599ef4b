import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {claudeDriver, uuidOf} from '../../../runner/src/agent/claude/claude-driver.ts';
import type {Answer, Ask} from '../../../runner/src/agent/driver.ts';
import {AgentSession} from '../../../runner/src/attempt/agent-session.ts';
import {until} from '../../fixtures/until.ts';
import {line} from '../agent/claude/lines.ts';
import {driverInput} from '../agent/driver-input.ts';

const input = driverInput(taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'claude'}}));
const bash = {tool: 'Bash', input: {command: 'ls'}};

type Decide = (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>;

/** A session whose agent says what the test lets it say; it has taken its prompt. */
function session(decide: Decide = async () => ({kind: 'allow', reason: ''})) {
  const written: string[] = [];
  const seen = {isFinished: false};
  const output = new TransformStream<Uint8Array, Uint8Array>();
  const writer = output.writable.getWriter();
  const made = new AgentSession(claudeDriver, input, {
    write: async bytes => void written.push(Buffer.from(bytes).toString()),
    claim: async () => true,
    claimed: async () => new Set(),
    decide,
    finish: async () => {
      seen.isFinished = true;
    },
    onEvent: () => undefined,
    onDecision: async () => undefined,
    onFailure: error => {
      throw error;
    },
  });
  void made.follow(output.readable);
  const says = (...lines: readonly object[]): void => {
    for (const each of lines) void writer.write(Buffer.from(`${JSON.stringify(each)}\n`));
    void writer.write(new Uint8Array());
  };
  const prompt = uuidOf(`${input.task}/prompt`);
  says(line.initialized, line.init, line.message(prompt, 'queued'), line.message(prompt, 'started'));
  const wrote = async (text: string): Promise<boolean> =>
    until(`a line with ${text}`, () => written.some(each => each.includes(text)));
  return {made, says, written, wrote, seen};
}

test('[CD20] an agent is not ended while it has not shown what became of a message that was written to it', async () => {
  const {made, says, wrote, seen} = session();
  expect(await made.message('m1', 'and this')).toBe(true);
  says(line.turn());
  await wrote('end_session');
  expect(seen.isFinished).toBe(false);
  const message = uuidOf('m1');
  says(line.message(message, 'queued'), line.message(message, 'started'), line.says('more'));
  says(line.turn(), line.message(message, 'completed'));
  await until('the agent is ended', () => seen.isFinished);
});

test('[CD24] a message that interrupts is written before the interruption, and the agent lives on for it', async () => {
  const {made, says, written, seen} = session();
  await made.message('m0', 'in your own time');
  expect(written.filter(text => text.includes('"interrupt"'))).toEqual([]);
  expect(await made.message('m1', 'stop that', {interrupt: true})).toBe(true);
  const at = (text: string): number => written.findIndex(each => each.includes(text));
  expect(at('stop that')).toBeGreaterThanOrEqual(0);
  expect(at('"subtype":"interrupt"')).toBeGreaterThan(at('stop that'));
  const [first, message] = [uuidOf('m0'), uuidOf('m1')];
  says(line.message(first, 'completed'), line.message(message, 'queued'), line.turn({is_error: true}));
  says(line.message(message, 'started'), line.says('more'));
  expect(seen.isFinished).toBe(false);
  says(line.turn(), line.message(message, 'completed'));
  await until('the agent is ended', () => seen.isFinished);
});

test('[CD21] what the agent takes back is called off, and an answer that comes nevertheless is not given', async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  const answer = Promise.withResolvers<Answer>();
  const {says, written, wrote} = session(async (_ask, withdrawn) => {
    asked.resolve(withdrawn);
    return answer.promise;
  });
  says(line.hook('r1', 't1', bash));
  const withdrawn = await asked.promise;
  expect(withdrawn.aborted).toBe(false);
  says(line.withdrawn('r1'));
  await until('the question is called off', () => withdrawn.aborted);
  answer.resolve({kind: 'allow', reason: 'too late'});
  says(line.turn());
  await wrote('end_session');
  expect(written.join('')).not.toContain('too late');
});
