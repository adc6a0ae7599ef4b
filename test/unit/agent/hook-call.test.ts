import {expect, test} from 'vitest';
import {decodeAcpLine, acpInitial} from '../../../runner/src/agent/acp/acp-fold.ts';
import {OUR_PREFIX} from '../../../runner/src/agent/our-tools.ts';
import {questionOf} from '../../../runner/src/agent/acp/hook-call.ts';

const patch =
  '*** Begin Patch\n*** Add File: a.txt\n+x\n*** Update File: b.txt\n*** Move to: ../c.txt\n*** End Patch\n';

/** What the gate is asked for a call of a hook. */
function permissionOf(call: object): unknown {
  const params = questionOf(JSON.stringify(call), OUR_PREFIX);
  const line = JSON.stringify({jsonrpc: '2.0', id: 'hook-1', method: 'session/request_permission', params});
  return decodeAcpLine(acpInitial, line).state.asks[0]?.ask;
}

test('[CA32] every file of a patch is asked about', () => {
  for (const tool_input of [{command: patch}, {input: patch}, {command: ['apply_patch', patch]}])
    expect(permissionOf({tool_name: 'apply_patch', tool_use_id: 'c', tool_input})).toMatchObject({
      tool: 'Write',
      toolCall: 'c',
      input: {file_path: 'a.txt', file_paths: ['a.txt', 'b.txt', '../c.txt']},
    });
});

test('[CA32] a tool that is not known is asked about by no name that a profile holds', () => {
  expect(permissionOf({tool_name: 'spawn_agent', tool_use_id: 'c', tool_input: {}})).toMatchObject({
    tool: 'unknown other',
  });
});

test('[CA34] a command is judged in the folder that the agent shows beside it', () => {
  const content = [{type: 'content', content: {type: 'text', text: '[in ../"x"] (a step)'}}];
  const toolCall = {toolCallId: 'c', kind: 'execute', title: 'rm -rf *', content};
  const params = {toolCall, options: [{optionId: 'a', kind: 'allow_once'}]};
  const line = JSON.stringify({jsonrpc: '2.0', id: 1, method: 'session/request_permission', params});
  expect(decodeAcpLine(acpInitial, line).state.asks[0]?.ask).toMatchObject({
    tool: 'Bash',
    input: {command: 'rm -rf *', cwd: '../"x"'},
  });
});
