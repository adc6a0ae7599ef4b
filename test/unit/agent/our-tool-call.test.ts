import {expect, test} from 'vitest';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {callProtocol} from '@switchyard/shared/protocol/version.ts';
import {answerOurTool} from '../../../runner/src/agent/our-tool-call.ts';
import {ourTools} from '../../../runner/src/agent/our-tools.ts';
import type {PersonQuestion, PersonReply} from '../../../runner/src/agent/tool-gate.ts';
import {AskDesk} from '../../../runner/src/attempt/ask-desk.ts';
import type {LinkUp} from '../../../runner/src/link/link.ts';

const never = new AbortController().signal;
const granted: PersonReply = {decision: 'answer', text: 'tsk_1', by: null};

function gate(reply: PersonReply) {
  const asked: PersonQuestion[] = [];
  const askPerson = async (question: PersonQuestion): Promise<PersonReply> => {
    asked.push(question);
    return reply;
  };
  const call = async (tool: string, input: unknown) =>
    answerOurTool(
      {progress: async () => undefined, askPerson},
      {kind: 'tool', id: 'r1', toolCall: 'toolu_1', tool, input},
      never,
    );
  return {asked, call};
}

const wish = {title: 'A part', prompt: 'Do it.'};

test('[AT2] a call goes to the control plane under the id of the tool call, and its answer is what the tool says', async () => {
  const {asked, call} = gate(granted);
  expect(await call('create_subtask', wish)).toEqual({kind: 'result', text: 'tsk_1', isError: false});
  expect(asked).toMatchObject([{id: 'toolu_1', kind: 'call', tool: 'create_subtask', input: wish}]);
});

test('[AT1] a refusal is an error of the tool, with the reason', async () => {
  const {call} = gate({decision: 'reject', text: 'a coding agent reports no pr.approved', by: null});
  expect(await call('emit_event', {event: 'pr.approved'})).toEqual({
    kind: 'result',
    text: 'emit_event was refused: a coding agent reports no pr.approved',
    isError: true,
  });
});

test('[AT7] what is no call of the tool, or too large for it, never leaves the runner', async () => {
  const {asked, call} = gate(granted);
  expect(await call('create_subtask', {title: 'A part'})).toMatchObject({isError: true});
  expect(await call('create_subtask', {...wish, priority: 1})).toMatchObject({isError: true});
  const data = {summary: 'x'.repeat(limits.askInputCharactersMax)};
  expect(await call('emit_event', {event: 'pr.updated', data})).toMatchObject({isError: true});
  expect(asked).toEqual([]);
});

test('[AT7] a control plane that is too old for calls refuses them, and is still asked for people', async () => {
  const sent: LinkUp[] = [];
  const desk = new AskDesk(message => sent.push(message));
  desk.begin(callProtocol - 1, () => true);
  const of = {task: taskIdSchema.parse('tsk_01jd5k3v8x0000000000000000'), epoch: 1};
  const ask = {id: 'toolu_1', tool: 'emit_event', input: '{}', reason: '', rule: null, expires_in_ms: 1_000};
  expect(await desk.ask(of, {...ask, kind: 'call'}).answer).toMatchObject({decision: 'reject'});
  desk.ask(of, {...ask, id: 'toolu_2', kind: 'question'});
  expect(sent).toMatchObject([{t: 'ask', id: 'toolu_2'}]);
});

test('[AT1] the tools are listed with what they take', () => {
  expect(ourTools.map(({name}) => name)).toEqual(['report_progress', 'ask_person', 'emit_event', 'create_subtask']);
  for (const {description, inputSchema} of ourTools) {
    expect(description.length).toBeGreaterThan(20);
    expect(inputSchema).toMatchObject({type: 'object', additionalProperties: false});
  }
  expect(ourTools.find(({name}) => name === 'create_subtask')?.inputSchema.required).toEqual(['title', 'prompt']);
});
