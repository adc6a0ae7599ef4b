import {ourTools, TOOL_SERVER} from '../our-tools.ts';
import type {ClaudeRequest} from './claude-line.ts';
import type {OpenRequest} from './claude-state.ts';

type RpcMessage = Extract<ClaudeRequest['request'], {subtype: 'mcp_message'}>['message'];

/**
 * Our tools as a server of the Model Context Protocol inside the control channel: nothing listens, and no bearer is
 * needed. A call waits for an answer; everything else is answered from data.
 */
export function onToolServer(id: string, {id: rpcId = 0, method, params}: RpcMessage): OpenRequest {
  if (method !== 'tools/call')
    return {kind: 'reply', id, reply: {mcp_response: {jsonrpc: '2.0', id: rpcId, ...replyTo(method, params)}}};
  const toolCall: unknown = params?.['_meta']?.['claudecode/toolUseId'];
  return {
    kind: 'call',
    rpcId,
    ask: {
      kind: 'tool',
      id,
      tool: params?.name ?? '',
      input: params?.arguments ?? {},
      toolCall: typeof toolCall === 'string' ? toolCall : id,
    },
  };
}

function replyTo(method: string, params: RpcMessage['params']): object {
  if (method === 'tools/list') return {result: {tools: ourTools}};
  if (method.startsWith('notifications/')) return {result: {}};
  if (method !== 'initialize') return {error: {code: -32_601, message: `${method} is not served`}};
  return {
    result: {
      protocolVersion: params?.protocolVersion ?? '2025-11-25',
      capabilities: {tools: {}},
      serverInfo: {name: TOOL_SERVER, version: '1'},
    },
  };
}
