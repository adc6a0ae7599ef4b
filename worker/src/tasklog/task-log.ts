import {DurableObject} from 'cloudflare:workers';
import * as z from 'zod';
import {attemptEnds, type AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import {attemptSeal, type AttemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {taskStateSchema} from '@switchyard/shared/api/task-view.ts';
import {isFinished, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import initial from '../../../migrations/tasklog/0001_log.sql';
import attemptEnding from '../../../migrations/tasklog/0002_attempt_ending.sql';
import fence from '../../../migrations/tasklog/0003_fence.sql';
import type {Environment} from '../environment.ts';
import {installationSecret} from '../installation-secrets.ts';
import {durableObjectSql} from '../fleet/durable-object-sql.ts';
import {migrate} from '../fleet/migrator.ts';
import {LogHash} from './log-hash.ts';
import {readChunks, readPage} from './log-page.ts';
import {logStore} from './log-store.ts';
import {inTransaction, tellWatching, type Log} from './log.ts';
import {exchangeMessages, type LogExchange} from './runner-exchange.ts';
import {fenceRunners, greetRunner, takeRunnerMessages, type Arrival} from './runner-sockets.ts';
import {sealEmpty} from './seal.ts';
import {openingOf, socketStateOf} from './socket-role.ts';
import {tryClose} from './socket-send.ts';
import {logStateHeader, type LogChunks, type LogPage, type TaskLogRpc} from './task-log-rpc.ts';
import {admitViewer, takeViewerMessage, updateViewers} from './viewer-sockets.ts';

/** Bytes that wait for the commit before them; a runner that keeps its window never comes near. */
const INBOX_BYTES_MAX = 8 * 1_048_576;
/** RFC 6455, section 7.4.1. */
const MESSAGE_TOO_BIG = 1009;

const migrations = [
  {name: '0001_log', statements: initial},
  {name: '0002_attempt_ending', statements: attemptEnding},
  {name: '0003_fence', statements: fence},
];

const attemptEndSchema = z.enum(attemptEnds);

/** The log of one task: takes bytes from the socket of its attempt, keeps them, shows them to whoever looks. */
export class TaskLog extends DurableObject<Environment> implements TaskLogRpc {
  readonly #log: Log;
  #inbox: Arrival[] = [];
  #inboxBytes = 0;
  #isCommitting = false;

  constructor(ctx: DurableObjectState, environment: Environment) {
    super(ctx, environment);
    let seal: AttemptSeal | undefined;
    void ctx.blockConcurrencyWhile(async () => {
      migrate(durableObjectSql(ctx.storage), migrations, Date.now());
      seal = await attemptSeal(installationSecret(environment));
    });
    const madeSeal = (): AttemptSeal => {
      if (seal === undefined) throw new SwitchyardError('internal', 'a message came before the log was opened');
      return seal;
    };
    this.#log = {ctx, store: logStore(ctx.storage.sql), hash: new LogHash(), seal: madeSeal};
  }

  async exchange(...[attempt, messages]: Parameters<TaskLogRpc['exchange']>): Promise<LogExchange> {
    return exchangeMessages(this.#log, attempt, {messages, nowMs: Date.now()});
  }

  async read(range: Parameters<TaskLogRpc['read']>[0]): Promise<LogPage> {
    return readPage(this.#log.store, range);
  }

  async readChunks(range: Parameters<TaskLogRpc['readChunks']>[0]): Promise<LogChunks> {
    return readChunks(this.#log.store, range);
  }

  async finish(state: TaskState): Promise<void> {
    this.#log.store.finish(state);
    updateViewers(this.#log, Date.now());
  }

  async finishAttempt(epoch: number, state: AttemptEnd): Promise<void> {
    this.#log.store.finishAttempt(epoch, state);
    updateViewers(this.#log, Date.now());
  }

  async fence(epoch: number): Promise<void> {
    this.#log.store.fence(epoch);
    fenceRunners(this.#log);
  }

  async sealEmpty(epoch: number, runner: string): Promise<void> {
    const {store} = this.#log;
    inTransaction(this.#log, () => sealEmpty(store, epoch, runner));
    fenceRunners(this.#log);
  }

  /** Only upgrades that the Worker has verified come here. */
  override async fetch(request: Request): Promise<Response> {
    const opening = openingOf(request);
    if (opening === undefined) return new Response(null, {status: 400});
    const {0: client, 1: server} = new WebSocketPair();
    if (opening.role === 'runner') {
      greetRunner(this.#log, server, opening);
      return new Response(null, {status: 101, webSocket: client});
    }
    this.#believe(request.headers.get(logStateHeader), opening.epoch);
    const viewer = {from: opening.from, epoch: opening.epoch, nowMs: Date.now()};
    if (!admitViewer(this.#log, server, viewer)) return new Response(null, {status: 429});
    const protocol = request.headers.get('sec-websocket-protocol');
    const headers = protocol === null ? {} : {'sec-websocket-protocol': protocol};
    return new Response(null, {status: 101, webSocket: client, headers});
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const state = socketStateOf(socket);
    if (state?.role === 'viewer') {
      takeViewerMessage(this.#log, socket, {state, message, nowMs: Date.now()});
      return;
    }
    this.#inboxBytes += typeof message === 'string' ? message.length : message.byteLength;
    if (this.#inboxBytes > INBOX_BYTES_MAX) {
      tryClose(socket, MESSAGE_TOO_BIG, 'more than the window is on its way');
      return;
    }
    this.#inbox.push({socket, message});
    // A socket gets its next message when this returns: waiting for the commit would make one commit of each message.
    if (!this.#isCommitting) this.ctx.waitUntil(this.#commitInbox());
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    if (socketStateOf(socket)?.role === 'viewer') tellWatching(this.ctx);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    return this.webSocketClose(socket);
  }

  /** What the Fleet said when it let a viewer in, where it says that there is an end. */
  #believe(said: string | null, epoch: number | null): void {
    const {store} = this.#log;
    if (epoch === null) {
      const state = taskStateSchema.safeParse(said).data;
      if (state !== undefined && isFinished(state) && store.ending() === undefined) store.finish(state);
      return;
    }
    const state = attemptEndSchema.safeParse(said).data;
    if (state !== undefined && store.attemptEnding(epoch) === undefined) store.finishAttempt(epoch, state);
  }

  /**
   * The first message commits at once; what arrives while that commit is on its way shares the next one. A failure
   * ends this instance with its sockets: what it holds in memory may not be what is stored.
   */
  async #commitInbox(): Promise<void> {
    this.#isCommitting = true;
    try {
      while (this.#inbox.length > 0) {
        const arrivals = this.#inbox;
        this.#inbox = [];
        this.#inboxBytes = 0;
        await takeRunnerMessages(this.#log, arrivals, Date.now());
        await this.ctx.storage.sync();
        // Whatever is being delivered meanwhile shares the next commit; a lone message never waits.
        if (this.#inbox.length > 0) await scheduler.wait(0);
      }
    } catch (error) {
      this.ctx.abort('the log could not be written');
      throw error;
    } finally {
      this.#isCommitting = false;
    }
  }
}
