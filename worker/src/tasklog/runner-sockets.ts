import {formatLogDown, type LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import {countViewers, inTransaction, socketTags, type Log} from './log.ts';
import {admit, fencedAttempt, laterAttempt, takeMessage} from './runner-messages.ts';
import {rememberState, socketStateOf, type RunnerState} from './socket-role.ts';
import {tryClose, trySend} from './socket-send.ts';
import {updateViewers} from './viewer-sockets.ts';

export type Arrival = {readonly socket: WebSocket; readonly message: string | ArrayBuffer};

type Reply =
  | {readonly socket: WebSocket; readonly message: LogDown}
  | {
      readonly socket: WebSocket;
      readonly sealed: {
        readonly task: string;
        readonly epoch: number;
        readonly length: number;
        readonly sha256: string;
      };
    }
  | {readonly socket: WebSocket; readonly malformed: string};

/** RFC 6455: the peer sent what this protocol does not have. */
const PROTOCOL_ERROR = 1002;

/** Takes the socket of an attempt and says where it goes on. The newest socket of an attempt is the one that counts. */
export function greetRunner(log: Log, socket: WebSocket, runner: RunnerState): void {
  const {ctx, store} = log;
  const refusal = inTransaction(log, () => admit(store, runner));
  const others = ctx.getWebSockets(socketTags.runner);
  ctx.acceptWebSocket(socket, [socketTags.runner]);
  rememberState(socket, runner);
  if (refusal !== undefined) {
    letGo(socket, refusal);
    return;
  }
  for (const other of others) {
    if (socketStateOf(other)?.role === 'runner' && epochOf(other) < runner.epoch) letGo(other, laterAttempt);
    else tryClose(other, closeCodes.replaced, 'a newer connection of this attempt');
  }
  trySend(socket, formatLogDown({t: 'state', len: store.newest()?.length ?? 0, watching: countViewers(ctx)}));
}

/** Lets go of the sockets of attempts that may write no more. */
export function fenceRunners({ctx, store}: Log): void {
  for (const socket of ctx.getWebSockets(socketTags.runner))
    if (socketStateOf(socket)?.role === 'runner' && epochOf(socket) <= store.fenced()) letGo(socket, fencedAttempt);
}

/**
 * Carries out everything that has arrived in one transaction, so that it costs one commit; the answers leave behind the
 * output gate, after that commit. Acknowledgements are cumulative: a socket gets its last one.
 */
export async function takeRunnerMessages(log: Log, arrivals: readonly Arrival[], nowMs: number): Promise<void> {
  let grew = false;
  const replies = inTransaction(log, () =>
    arrivals.flatMap(({socket, message}): readonly Reply[] => {
      const state = socketStateOf(socket);
      if (state?.role !== 'runner') return [];
      const bytesOrText = typeof message === 'string' ? message : new Uint8Array(message);
      const taken = takeMessage(log, {epoch: state.epoch, message: bytesOrText, nowMs});
      switch (taken.kind) {
        case 'nothing':
          return [];
        case 'malformed':
          return [{socket, malformed: taken.why}];
        case 'sealed': {
          const {length, sha256} = taken;
          return [{socket, sealed: {task: state.task, epoch: state.epoch, length, sha256}}];
        }
        case 'message':
          grew ||= taken.grew;
          return [{socket, message: taken.message}];
      }
    }),
  );
  for (const reply of replies.filter((each, index) => !isOvertaken(each, replies.slice(index + 1))))
    await answer(log, reply);
  if (grew) updateViewers(log, nowMs);
}

function epochOf(socket: WebSocket): number {
  const state = socketStateOf(socket);
  return state?.role === 'runner' ? state.epoch : 0;
}

/** An acknowledgement says nothing that a later one to the same socket does not say. */
function isOvertaken(reply: Reply, later: readonly Reply[]): boolean {
  const next = later.find(each => each.socket === reply.socket);
  return isAck(reply) && next !== undefined && isAck(next);
}

function isAck(reply: Reply): boolean {
  return 'message' in reply && reply.message.t === 'ack';
}

async function answer(log: Log, reply: Reply): Promise<void> {
  if ('malformed' in reply) return tryClose(reply.socket, PROTOCOL_ERROR, reply.malformed);
  if ('sealed' in reply) {
    const receipt = await log.seal().receipt(reply.sealed);
    return trySend(reply.socket, formatLogDown({t: 'sealed', len: reply.sealed.length, receipt}));
  }
  if (reply.message.t === 'gone') return letGo(reply.socket, reply.message.why);
  return trySend(reply.socket, formatLogDown(reply.message));
}

function letGo(socket: WebSocket, why: string): void {
  trySend(socket, formatLogDown({t: 'gone', why}));
  tryClose(socket, 1000, why);
}
