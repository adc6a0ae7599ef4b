import {once} from 'node:events';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {Socket} from 'node:net';
import {limits} from '@switchyard/shared/policy/limits.ts';

export type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export type ServerLimits = {
  readonly connectionsMax: number;
  /** How long headers and a whole request may take, and how often that is looked at. */
  readonly headersMs: number;
  readonly requestMs: number;
  readonly lookMs: number;
};

const serverLimits: ServerLimits = {
  connectionsMax: limits.modelConnectionsMax,
  headersMs: limits.modelRequestHeadersMs,
  requestMs: limits.modelRequestMs,
  lookMs: 10_000,
};

/**
 * An HTTP server on the loopback address that can listen anew. What it is asked runs under time limits until it is whole;
 * an answer takes as long as it takes.
 */
export class LoopbackServer {
  readonly #serve: Serve;
  readonly #limits: ServerLimits;
  readonly #serving = new Map<IncomingMessage, Promise<void>>();
  /** Of every listener that there was. */
  readonly #sockets = new Set<Socket>();
  #server: Server;
  #port: number;

  private constructor(port: number, serve: Serve, limited: ServerLimits) {
    this.#serve = serve;
    this.#limits = limited;
    this.#server = this.#make();
    this.#port = port;
  }

  /** Takes another port when the wanted one is taken; 0 wants any. */
  static async start(port: number, serve: Serve, limited = serverLimits): Promise<LoopbackServer> {
    const server = new LoopbackServer(port, serve, limited);
    await server.#listen();
    return server;
  }

  /** Where it listens, or did last. */
  get port(): number {
    return this.#port;
  }

  /**
   * Listens anew, on the same port unless another program has it. Requests that are being answered go on to their end;
   * every other connection is cut, so that whoever waits behind it asks again.
   */
  async reopen(): Promise<void> {
    this.#server.close();
    const busy = new Set([...this.#serving.keys()].map(({socket}) => socket));
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy();
    this.#server = this.#make();
    await this.#listen();
  }

  /** Resolves when nothing is served any more. */
  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#serving.values());
  }

  #make(): Server {
    const {connectionsMax, headersMs, requestMs, lookMs} = this.#limits;
    const times = {headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: lookMs};
    const server = createServer(times, (request, response) => {
      const serving = this.#serve(request, response)
        .catch(() => void response.destroy())
        .finally(() => this.#serving.delete(request));
      this.#serving.set(request, serving);
    });
    server.maxConnections = connectionsMax;
    server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    return server;
  }

  async #listen(): Promise<void> {
    try {
      await this.#listenOn(this.#port);
    } catch (error) {
      if (this.#port === 0) throw error;
      await this.#listenOn(0);
    }
  }

  async #listenOn(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    // A connection that could not be taken, for want of file descriptors: whoever watches sees whether it stays so.
    this.#server.on('error', () => undefined);
  }
}
