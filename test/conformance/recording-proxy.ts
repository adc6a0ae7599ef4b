import {once} from 'node:events';
import {createServer, request, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {Duplex} from 'node:stream';
import {buffer, text} from 'node:stream/consumers';
import {WebSocket, WebSocketServer} from 'ws';
import * as z from 'zod';
import {logExchangeAnswerSchema, logExchangeSchema} from '@switchyard/shared/protocol/log-control.ts';
import {Conversation, type Line, type LineOn} from '../fixtures/conversation.ts';
import {arrivedFrame} from '../fixtures/stored-log.ts';

type Of = Pick<Line, 'from' | 'on' | 'over'>;

const messages = z.array(z.record(z.string(), z.unknown()));
const batchSchema = z.object({m: messages});
const frameSchema = z.object({frame: z.string()});

/** Stands between a real runner and a real control plane, passes everything on, and keeps what was said. */
export class RecordingProxy {
  readonly conversation = new Conversation();
  /** False for a network that breaks every WebSocket. */
  passesSockets = true;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({noServer: true, perMessageDeflate: false});

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((incoming, outgoing) => void this.#pass(incoming, outgoing));
    this.#server.on('upgrade', (incoming, socket, head) => this.#upgrade(incoming, socket, head));
  }

  static async start(targetPort: number): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const {port} = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Breaks every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const on = channelOf(incoming);
    if (on === undefined || !this.passesSockets) {
      socket.destroy();
      return;
    }
    this.#sockets.handleUpgrade(incoming, socket, head, near => this.#relay(near, incoming, on));
  }

  #relay(near: WebSocket, {url = '', headers}: IncomingMessage, on: LineOn): void {
    const protocols = headers['sec-websocket-protocol']?.split(/,\s*/) ?? [];
    const {host, authorization = '', 'x-log-ticket': ticket = ''} = headers;
    const shown = {host, authorization, 'x-log-ticket': ticket};
    const address = `ws://127.0.0.1:${this.#targetPort}${url}`;
    const far = new WebSocket(address, protocols, {headers: shown, perMessageDeflate: false});
    const from = (side: Line['from']): Of => ({from: side, on, over: 'websocket'});
    this.conversation.add(from('runner'), {kind: 'opened', detail: String(ticket)});
    const waiting: (() => void)[] = [];
    far.on('open', () => waiting.splice(0).forEach(send => send()));
    near.on('message', (data: Buffer, isBinary) => {
      this.#note(from('runner'), data, isBinary);
      const send = (): void => far.send(data, {binary: isBinary});
      if (far.readyState === WebSocket.OPEN) send();
      else waiting.push(send);
    });
    far.on('message', (data: Buffer, isBinary) => {
      this.#note(from('server'), data, isBinary);
      near.send(data, {binary: isBinary});
    });
    far.on('error', () => near.terminate());
    near.on('error', () => far.terminate());
    far.on('close', code => {
      if (near.readyState !== WebSocket.OPEN) return;
      this.conversation.add(from('server'), {kind: 'closed', detail: String(code)});
      if (code >= 4_000) near.close(code);
      else near.terminate();
    });
    near.on('close', code => {
      this.conversation.add(from('runner'), {kind: 'closed', detail: String(code)});
      far.terminate();
    });
  }

  #note(of: Of, data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.conversation.add(of, {kind: 'frame', frame: arrivedFrame(data)});
      return;
    }
    const said = data.toString('utf8');
    if (said === 'ping' || said === 'pong') return;
    if (of.on === 'control') this.#noteAll(of, batchSchema.parse(JSON.parse(said)).m);
    else this.#noteAll(of, messages.parse([JSON.parse(said)]));
  }

  #noteAll(of: Of, said: readonly Readonly<Record<string, unknown>>[]): void {
    for (const message of said) this.conversation.add(of, {kind: 'message', message});
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const {method, url, headers} = incoming;
    const body = await buffer(incoming).catch(() => undefined);
    // A runner that is killed says nothing to its end.
    if (body === undefined) return;
    const on = channelOf(incoming);
    if (on !== undefined) this.#noteRequest({from: 'runner', on, over: 'request'}, body.toString('utf8'));
    const onward = request({host: '127.0.0.1', port: this.#targetPort, method, path: url, headers});
    onward.end(body);
    try {
      const [answer] = (await once(onward, 'response')) as [IncomingMessage];
      const answered = await text(answer);
      if (on !== undefined && answer.statusCode === 200)
        this.#noteAnswer({from: 'server', on, over: 'request'}, answered);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.end(answered);
    } catch {
      outgoing.destroy();
    }
  }

  #noteRequest(of: Of, body: string): void {
    if (of.on === 'control') {
      this.#noteAll(of, batchSchema.parse(JSON.parse(frameSchema.parse(JSON.parse(body)).frame)).m);
      return;
    }
    const {frames, control} = logExchangeSchema.parse(JSON.parse(body));
    for (const frame of frames) this.#note(of, Buffer.from(frame, 'base64'), true);
    for (const said of control) this.#note(of, Buffer.from(said), false);
  }

  #noteAnswer(of: Of, body: string): void {
    if (of.on === 'control')
      this.#noteAll(of, batchSchema.parse(JSON.parse(frameSchema.parse(JSON.parse(body)).frame)).m);
    else this.#noteAll(of, messages.parse(logExchangeAnswerSchema.parse(JSON.parse(body)).messages));
  }
}

/** What a request of a runner is about; undefined for one that is not of the link. */
function channelOf({url = ''}: IncomingMessage): LineOn | undefined {
  if (url === '/v1/runner/connect' || url === '/v1/runner/poll') return 'control';
  const log = /^\/v1\/runner\/log\/(?<task>tsk_\w+)\?epoch=(?<epoch>\d+)$/.exec(url)?.groups;
  return log === undefined ? undefined : `log ${log['task']}/e${log['epoch']}`;
}
