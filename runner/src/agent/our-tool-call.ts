import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Answer, Ask} from './driver.ts';
import {isFleetCall, ourToolCall} from './our-tools.ts';
import type {PersonQuestion, ToolGateOptions} from './tool-gate.ts';

type OurCall = Extract<Ask, {kind: 'tool'}>;

/** Answers a call of a tool of ours, however it reached the runner. */
export async function answerOurTool(
  {progress, askPerson}: Pick<ToolGateOptions, 'progress' | 'askPerson'>,
  {tool, input, toolCall}: OurCall,
  withdrawn: AbortSignal,
): Promise<Answer> {
  const call = readOurCall(tool, input);
  if (call instanceof SwitchyardError) return failed(call.detail);
  if (call.tool === 'report_progress') {
    await progress(call.input.text);
    return {kind: 'result', text: 'The people who wait have been told.', isError: false};
  }
  if (isFleetCall(call) && JSON.stringify(call.input).length > limits.askInputCharactersMax)
    return failed(`${tool}: the input is longer than ${limits.askInputCharactersMax} characters as JSON`);
  const question = isFleetCall(call) ? fleetCall(toolCall, call) : questionOf(toolCall, call.input);
  const reply = await askPerson(question, {canDefer: false, withdrawn});
  if (reply !== 'later' && reply.decision === 'answer') return {kind: 'result', text: reply.text, isError: false};
  const why = reply === 'later' ? '' : reply.text;
  return failed(
    isFleetCall(call) ? `${tool} was refused: ${why}` : `Nobody answers this${why === '' ? '' : `: ${why}`}`,
  );
}

/** What a person is asked by the tool for questions. */
export const questionOf = (id: string, input: unknown): PersonQuestion => ({
  id,
  kind: 'question',
  tool: 'ask_person',
  input,
  reason: 'the agent has a question',
  rule: null,
});

const fleetCall = (id: string, {tool, input}: {readonly tool: string; readonly input: unknown}): PersonQuestion => ({
  id,
  kind: 'call',
  tool,
  input,
  reason: '',
  rule: null,
});

const failed = (text: string): Answer => ({kind: 'result', text, isError: true});

export function readOurCall(tool: string, input: unknown): ReturnType<typeof ourToolCall> | SwitchyardError {
  try {
    return ourToolCall(tool, input);
  } catch (error) {
    if (error instanceof SwitchyardError) return error;
    throw error;
  }
}
