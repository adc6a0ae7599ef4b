import * as z from 'zod';
import {ourTools, TOOL_SERVER} from './our-tools.ts';

/**
 * The part of the Model Context Protocol (https://modelcontextprotocol.io) that a server of tools needs. Loose: clients add
 * fields of their own.
 */
const params = z.looseObject({
  name: z.string().optional(),
  arguments: z.unknown().optional(),
  protocolVersion: z.string().optional(),
  _meta: z.record(z.string(), z.unknown()).optional(),
});
export const mcpMessageSchema = z.looseObject({
  id: z.union([z.number(), z.string()]).optional(),
  method: z.string(),
  params: params.optional(),
});
export type McpMessage = z.output<typeof mcpMessageSchema>;

type McpId = number | string;
export type McpRead =
  /** The client wants no answer. */
  | {readonly kind: 'notification'}
  | {readonly kind: 'reply'; readonly message: object}
  | {readonly kind: 'call'; readonly id: McpId; readonly tool: string; readonly input: unknown};

const USUAL_VERSION = '2025-11-25';

/** Everything but a call is answered from data. */
export function readMcp({id, method, params: given}: McpMessage): McpRead {
  if (id === undefined || method.startsWith('notifications/')) return {kind: 'notification'};
  if (method === 'tools/call') return {kind: 'call', id, tool: given?.name ?? '', input: given?.arguments ?? {}};
  return {kind: 'reply', message: {jsonrpc: '2.0', id, ...replyTo(method, given?.protocolVersion)}};
}

function replyTo(method: string, version: string = USUAL_VERSION): object {
  switch (method) {
    case 'initialize':
      return {
        result: {
          protocolVersion: version,
          capabilities: {tools: {}},
          serverInfo: {name: TOOL_SERVER, version: '1'},
        },
      };
    case 'ping':
      return {result: {}};
    case 'tools/list':
      return {result: {tools: ourTools}};
    default:
      return {error: {code: -32_601, message: `${method.slice(0, 100)} is not served`}};
  }
}

/** The answer of a tool. One that went wrong is for the model to read, not an error of the protocol. */
export function mcpResult(id: McpId, {text, isError}: {readonly text: string; readonly isError: boolean}): object {
  return {jsonrpc: '2.0', id, result: {content: [{type: 'text', text}], isError}};
}
