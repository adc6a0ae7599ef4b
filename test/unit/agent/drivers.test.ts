import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {execDriver} from '../../../runner/src/agent/exec-driver.ts';
import {driverInput} from './driver-input.ts';
import {decodeJsonLine, linesInitial, readEnd, type LinesState} from '../../../runner/src/agent/json-lines.ts';
import {parseScript} from '../../../runner/src/agent/script.ts';

const spec = (agent: TaskSpecInput['agent']) => taskSpecSchema.parse({prompt: 'do it', agent});
const fold = (lines: readonly string[], from: LinesState = linesInitial): LinesState =>
  lines.reduce((state, line) => decodeJsonLine(state, line).state, from);

const anyLine = fc.oneof(
  fc.string(),
  fc.record({type: fc.string(), summary: fc.string()}).map(each => JSON.stringify(each)),
  fc
    .record({type: fc.constant('result'), result: fc.string(), is_error: fc.boolean()})
    .map(each => JSON.stringify(each)),
  fc.json(),
);

test('[AG1] replaying all lines gives the state that folding them in two parts gives', () => {
  fc.assert(
    fc.property(fc.array(anyLine), fc.array(anyLine), (before, after) => {
      expect(fold([...before, ...after])).toEqual(fold(after, fold(before)));
    }),
  );
});

test('[AG2] events keep their fields, and the last result wins', () => {
  const {events} = decodeJsonLine(linesInitial, '{"type":"Tool-Call","title":"edit a.js"}');
  expect(events).toEqual([{kind: 'tool_call', data: {title: 'edit a.js'}}]);
  const state = fold(['{"type":"result","summary":"first"}', '{"type":"result","result":"second"}']);
  expect(state).toEqual({summary: 'second', error: null});
});

test('[AG3] no line throws, and every event kind fits the protocol', () => {
  fc.assert(
    fc.property(anyLine, line => {
      for (const {kind} of decodeJsonLine(linesInitial, line).events) expect(kind).toMatch(/^[a-z][a-z_.]{0,59}$/);
    }),
  );
});

test.for([
  {end: {exitCode: 0, signal: null}, lines: ['{"type":"result","summary":"ok"}'], failed: null},
  {
    end: {exitCode: 0, signal: null},
    lines: ['{"type":"result","summary":"gave up","is_error":true}'],
    failed: 'gave up',
  },
  {end: {exitCode: 3, signal: null}, lines: [], failed: 'the agent ended with exit code 3'},
  {end: {exitCode: 127, signal: null}, lines: [], failed: 'the command of the agent was not found on this runner'},
  {
    end: {exitCode: null, signal: 'SIGKILL'},
    lines: ['{"type":"result","summary":"ok"}'],
    failed: 'the agent was ended by SIGKILL',
  },
])('[AG4] $end.exitCode $end.signal reads as failure: $failed', ({end, lines, failed}) => {
  const {failure} = readEnd(fold(lines), end);
  expect(failure?.kind === 'failed' ? failure.detail : null).toBe(failed);
});

test('[AG5] the exec driver passes the argument list on untouched', () => {
  const command = ['claude', '-p', '$(touch /tmp/x)', 'a b'];
  const driver = execDriver('text');
  const plan = driver.plan(driverInput(spec({driver: 'exec', command})));
  expect(plan).toMatchObject({argv: command, env: {SWITCHYARD_PROMPT_FILE: '/run/prompt'}, stdin: 'prompt'});
  expect(driver.encode(driver.initial, {kind: 'message', id: 'm', text: 'hi'})).toBeNull();
});

test('[AG6] a script is read line by line', () => {
  const script = parseScript(
    [
      'Please help.',
      'write a/b.md: one\\ntwo',
      'replace x.js: a => b',
      'replace y.js: nothing',
      'run: node --test',
      'wait: 5',
      'await message',
      'say: hi',
    ].join('\n'),
  );
  expect(script).toEqual([
    {kind: 'write', path: 'a/b.md', text: 'one\ntwo'},
    {kind: 'replace', path: 'x.js', from: 'a', to: 'b'},
    {kind: 'run', argv: ['node', '--test']},
    {kind: 'wait', ms: 5},
    {kind: 'await'},
    {kind: 'say', text: 'hi'},
  ]);
});
