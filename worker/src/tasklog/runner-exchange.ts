import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {countViewers, inTransaction, type Log} from './log.ts';
import {admit, takeMessage, type Taken} from './runner-messages.ts';
import type {RunnerState} from './socket-role.ts';
import {updateViewers} from './viewer-sockets.ts';

export type LogExchange =
  | {readonly ok: true; readonly len: number; readonly watching: number; readonly messages: readonly LogDown[]}
  | {readonly ok: false; readonly why: string};

/**
 * The same conversation as over a socket, one request at a time, for networks that break WebSockets. Nothing is kept
 * between requests: every answer says where the log stands, so a lost one is made good by the next.
 */
export async function exchangeMessages(
  log: Log,
  state: RunnerState,
  {messages, nowMs}: {readonly messages: readonly (string | Uint8Array)[]; readonly nowMs: number},
): Promise<LogExchange> {
  const {ctx, store} = log;
  const taken = inTransaction(log, (): readonly Taken[] => {
    const refusal = admit(store, state);
    if (refusal !== undefined) return [{kind: 'message', message: {t: 'gone', why: refusal}, grew: false}];
    return messages.map(message => takeMessage(log, {epoch: state.epoch, message, nowMs}));
  });
  if (taken.some(each => each.kind === 'message' && each.grew)) updateViewers(log, nowMs);
  const answers: LogDown[] = [];
  for (const each of taken) {
    if (each.kind === 'malformed') return {ok: false, why: each.why};
    if (each.kind === 'message') answers.push(each.message);
    if (each.kind === 'sealed') {
      const {length, sha256} = each;
      const receipt = await log.seal().receipt({task: state.task, epoch: state.epoch, length, sha256});
      answers.push({t: 'sealed', len: length, receipt});
    }
  }
  return {ok: true, len: store.newest()?.length ?? 0, watching: countViewers(ctx), messages: answers};
}
