import {readMcp, type McpMessage} from '../mcp-message.ts';
import type {OpenRequest} from './claude-state.ts';

/**
 * Our tools as a server of the Model Context Protocol inside the control channel: nothing listens, and no bearer is
 * needed. A call waits for an answer; everything else is answered from data.
 */
export function onToolServer(id: string, message: McpMessage): OpenRequest {
  // Here a notification is answered too, for the envelope around it waits.
  const read = readMcp({...message, id: message.id ?? 0});
  if (read.kind === 'notification') return reply(id, {jsonrpc: '2.0', id: message.id ?? 0, result: {}});
  if (read.kind === 'reply') return reply(id, read.message);
  const toolCall: unknown = message.params?.['_meta']?.['claudecode/toolUseId'];
  return {
    kind: 'call',
    rpcId: read.id,
    ask: {
      kind: 'tool',
      id,
      tool: read.tool,
      input: read.input,
      toolCall: typeof toolCall === 'string' ? toolCall : id,
    },
  };
}

const reply = (id: string, message: object): OpenRequest => ({kind: 'reply', id, reply: {mcp_response: message}});
