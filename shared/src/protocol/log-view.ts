import * as z from 'zod';
import {taskStates} from '../machine/task-machine.ts';

/**
 * How somebody follows the log of a task over a WebSocket.
 *
 *    viewer                                  task log
 *      | <------- state {length} ------------ |   first: how much there is
 *      | <------- data frames --------------- |   as in log-frame.ts; `offset` counts from the start of the task's log
 *      | -------- ack {to} -----------------> |   read up to here: more may come
 *      | <------- end {state, length} ------- |   the task has ended and everything was sent; the socket closes
 *
 * At most `logViewWindowBytes` travel unacknowledged, so a viewer that cannot follow costs no memory. One that has had
 * a full window for longer than `logViewSilenceMs` is closed with `logViewCloseCodes.slow` when the log grows; it comes
 * back with `?from=` the last offset that it has.
 */
export const LOG_VIEW_SUBPROTOCOL = 'switchyard.log.v1';

export const logViewWindowBytes = 1024 * 1024;
export const logViewSilenceMs = 30_000;

/** RFC 6455 leaves 4000-4999 to applications. */
export const logViewCloseCodes = {malformed: 4400, slow: 4408} as const;

const length = z.int().nonnegative();

export const logViewDownSchema = z.discriminatedUnion('t', [
  z.strictObject({t: z.literal('state'), length}),
  z.strictObject({t: z.literal('end'), state: z.enum(taskStates), length}),
]);
export type LogViewDown = z.output<typeof logViewDownSchema>;

export const logViewUpSchema = z.strictObject({t: z.literal('ack'), to: length});
export type LogViewUp = z.output<typeof logViewUpSchema>;
