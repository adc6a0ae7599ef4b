import type {IncomingMessage, ServerResponse} from 'node:http';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {mcpMessageSchema, mcpResult, readMcp} from '../mcp-message.ts';
import {readGrantToken, type Grant} from './grant.ts';
import type {ToolResult} from './mcp-calls.ts';
import {readBody} from './request-body.ts';
import {tokenOf} from './request-facts.ts';

export const MCP_PATH = '/mcp';
export const EMIT_PATH = '/emit';

export type ToolServerOptions = {
  readonly secret: Uint8Array;
  readonly isLive: (grant: Grant) => boolean;
  readonly callTool: (grant: Grant, tool: string, input: unknown) => Promise<ToolResult>;
};

type Reply = {readonly status: number; readonly body?: object};

export function isToolPath(url: string | undefined): url is string {
  return url === MCP_PATH || url === EMIT_PATH;
}

/**
 * Our tools over HTTP on loopback, under a token of the attempt that is good for nothing else and dies with its lease:
 * `/mcp` as a stateless server of the Model Context Protocol (streamable HTTP, one message a request), `/emit` as one
 * event a request for programs that speak no protocol.
 */
export async function serveTools(
  options: ToolServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = Promise.withResolvers<undefined>();
  response.once('close', () => gone.resolve(undefined));
  const reply = await Promise.race([replyTo(options, request), gone.promise]);
  if (reply === undefined || response.destroyed) return;
  const {status, body} = reply;
  response.writeHead(status, body === undefined ? {} : {'content-type': 'application/json'});
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function replyTo({secret, isLive, callTool}: ToolServerOptions, request: IncomingMessage): Promise<Reply> {
  const token = tokenOf(request.headers);
  const grant = token === undefined ? undefined : readGrantToken(secret, token, 'tools');
  // A page in a browser has no business here, whatever token it found.
  if (grant === undefined || request.headers.origin !== undefined || !isLive(grant))
    return {status: 403, body: {error: 'this is no token of an attempt that holds its lease'}};
  if (request.method !== 'POST') return {status: 405};
  const body = await readBody(request, limits.bodyBytesMax);
  const json = body === undefined ? undefined : parseJson(body.toString('utf8'));
  if (json === undefined) return {status: 400, body: {error: 'the body is not JSON, or too large'}};
  return request.url === EMIT_PATH
    ? emitted(await callTool(grant, 'emit_event', json))
    : mcpReply(json, async (tool, input) => callTool(grant, tool, input));
}

const emitted = ({text, isError}: ToolResult): Reply =>
  isError ? {status: 422, body: {error: text}} : {status: 200, body: {text}};

async function mcpReply(
  json: unknown,
  callTool: (tool: string, input: unknown) => Promise<ToolResult>,
): Promise<Reply> {
  const message = mcpMessageSchema.safeParse(json);
  // An answer to a request that was never made means nothing.
  if (!message.success && z.looseObject({result: z.unknown()}).safeParse(json).success) return {status: 202};
  if (!message.success)
    return {status: 400, body: {jsonrpc: '2.0', id: null, error: {code: -32_600, message: 'not a request'}}};
  const read = readMcp(message.data);
  switch (read.kind) {
    case 'notification':
      return {status: 202};
    case 'reply':
      return {status: 200, body: read.message};
    case 'call':
      return {status: 200, body: mcpResult(read.id, await callTool(read.tool, read.input))};
  }
}
