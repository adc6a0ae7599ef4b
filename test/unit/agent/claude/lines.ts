import {claudeDriver} from '../../../../runner/src/agent/claude/claude-driver.ts';
import {claudeInitial, type ClaudeState} from '../../../../runner/src/agent/claude/claude-state.ts';
import type {AgentEvent} from '../../../../runner/src/agent/driver.ts';

/** Lines as claude 2.1 writes them, cut to what matters. */
export const line = {
  initialized: {
    type: 'control_response',
    response: {subtype: 'success', request_id: 'switchyard-initialize', response: {commands: []}},
  },
  message: (uuid: string, state: string) => ({type: 'command_lifecycle', command_uuid: uuid, state, session_id: 's'}),
  init: {type: 'system', subtype: 'init', cwd: '/wt', session_id: 's', model: 'opus', claude_code_version: '2.1.329'},
  says: (text: string) => ({type: 'assistant', message: {id: 'm', content: [{type: 'text', text}]}}),
  calls: (id: string, name: string, input: object) => ({
    type: 'assistant',
    message: {id: 'm', content: [{type: 'tool_use', id, name, input}]},
  }),
  hook: (id: string, toolCall: string, {tool, input}: {tool: string; input: object}) => ({
    type: 'control_request',
    request_id: id,
    request: {
      subtype: 'hook_callback',
      callback_id: 'pre',
      input: {hook_event_name: 'PreToolUse', tool_name: tool, tool_input: input, tool_use_id: toolCall},
    },
  }),
  stop: (id: string) => ({
    type: 'control_request',
    request_id: id,
    request: {subtype: 'hook_callback', callback_id: 'stop', input: {hook_event_name: 'Stop'}, tool_use_id: 'x'},
  }),
  mayUse: (id: string, toolCall: string, {tool, input}: {tool: string; input: object}) => ({
    type: 'control_request',
    request_id: id,
    request: {subtype: 'can_use_tool', tool_name: tool, input, tool_use_id: toolCall},
  }),
  rpc: (id: string, message: object) => ({
    type: 'control_request',
    request_id: id,
    request: {subtype: 'mcp_message', server_name: 'switchyard', message: {jsonrpc: '2.0', ...message}},
  }),
  withdrawn: (id: string) => ({type: 'control_cancel_request', request_id: id}),
  result: (toolCall: string, content: unknown, isError = false) => ({
    type: 'user',
    message: {role: 'user', content: [{tool_use_id: toolCall, type: 'tool_result', content, is_error: isError}]},
  }),
  turn: (more: object = {}) => ({
    type: 'result',
    subtype: 'success',
    is_error: false,
    terminal_reason: 'completed',
    api_error_status: null,
    num_turns: 3,
    result: 'done it',
    total_cost_usd: 0.02,
    permission_denials: [],
    modelUsage: {
      opus: {inputTokens: 3_300, outputTokens: 63, cacheReadInputTokens: 5, cacheCreationInputTokens: 7},
      haiku: {inputTokens: 100, outputTokens: 1, cacheReadInputTokens: 0, cacheCreationInputTokens: 0},
    },
    ...more,
  }),
};

export function fold(
  lines: readonly object[],
  from: ClaudeState = claudeInitial,
): {state: ClaudeState; events: AgentEvent[]} {
  const events: AgentEvent[] = [];
  let state = from;
  for (const each of lines) {
    const decoded = claudeDriver.decode(state, JSON.stringify(each));
    state = decoded.state;
    events.push(...decoded.events);
  }
  return {state, events};
}
