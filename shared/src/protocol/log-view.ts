import * as z from 'zod';
import {attemptEnds} from '../domain/attempt-end.ts';
import {taskStates} from '../machine/task-machine.ts';

/**
 * How somebody follows the log of a task, or of one attempt of it (`?epoch=`), over a WebSocket.
 *
 *    viewer                                  task log
 *      | <------- state {length} ------------ |   first: how much there is
 *      | <------- data frames --------------- |   as in log-frame.ts; `offset` counts from the start of what is followed
 *      | -------- ack {to} -----------------> |   read up to here: more may come
 *      | <------- end {state, length} ------- |   it has ended and everything was sent; the socket closes
 *      | <------- error {code, detail} ------ |   a message of the viewer was not taken; everything else goes on
 *
 * At most `logViewWindowBytes` travel unacknowledged, so a viewer that cannot follow costs no memory. One that has had
 * a full window for longer than `logViewSilenceMs` is closed with `logViewCloseCodes.slow` when the log grows; it comes
 * back with `?from=` the last offset that it has.
 */
export const LOG_VIEW_SUBPROTOCOL = 'switchyard.log.v1';

export const logViewWindowBytes = 1024 * 1024;
export const logViewSilenceMs = 30_000;

/** RFC 6455 leaves 4000-4999 to applications. */
export const logViewCloseCodes = {slow: 4408} as const;

/** How the thing that is followed ended: a task has one of its final states, an attempt an end of its own. */
const ending = z.enum([...new Set([...taskStates, ...attemptEnds])]);
export type LogEnding = z.output<typeof ending>;

/** `unknown_type` is a well-formed message that this server does not know: a newer viewer may have sent it. */
const errorCode = z.enum(['malformed', 'unknown_type', 'unsent_offset']);

const length = z.int().nonnegative();

export const logViewDownSchema = z.discriminatedUnion('t', [
  z.strictObject({t: z.literal('state'), length}),
  z.strictObject({t: z.literal('end'), state: ending, length}),
  z.strictObject({
    t: z.literal('error'),
    code: errorCode,
    detail: z.string(),
    /** What the message that was not taken had in `request`; null where it could not be read. */
    request: z.string().nullable(),
  }),
]);
export type LogViewDown = z.output<typeof logViewDownSchema>;

/** Longest `request` of a message, in characters. */
export const logViewRequestCharactersMax = 100;

export const logViewUpSchema = z.strictObject({
  t: z.literal('ack'),
  to: length,
  /** Comes back in an error about this message. */
  request: z.string().max(logViewRequestCharactersMax).optional(),
});
export type LogViewUp = z.output<typeof logViewUpSchema>;
