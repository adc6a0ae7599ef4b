import * as z from 'zod';
import {epochSchema, runnerIdSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {runnerHeader} from '../fleet/fleet-rpc.ts';
import {logEpochHeader, logRoleHeader, logTaskHeader} from './task-log-rpc.ts';

const runnerStateSchema = z.strictObject({
  role: z.literal('runner'),
  task: taskIdSchema,
  epoch: epochSchema,
  runner: runnerIdSchema,
});
export type RunnerState = z.output<typeof runnerStateSchema>;

const offset = z.int().nonnegative();
const viewerStateSchema = z.strictObject({
  role: z.literal('viewer'),
  epoch: epochSchema.nullable(),
  sent: offset,
  acked: offset,
  ackedAtMs: offset,
});

const socketStateSchema = z.discriminatedUnion('role', [runnerStateSchema, viewerStateSchema]);
export type SocketState = z.output<typeof socketStateSchema>;

/** The same as what is attached, which is dear to read for each message. */
const states = new WeakMap<WebSocket, SocketState>();

/** What a socket remembers across hibernation; undefined for one that this version did not write. */
export function socketStateOf(socket: WebSocket): SocketState | undefined {
  const known = states.get(socket);
  if (known !== undefined) return known;
  const read = socketStateSchema.safeParse(socket.deserializeAttachment()).data;
  if (read !== undefined) states.set(socket, read);
  return read;
}

export function rememberState(socket: WebSocket, state: SocketState): void {
  socket.serializeAttachment(state);
  states.set(socket, state);
}

const openingSchema = z.discriminatedUnion('role', [
  runnerStateSchema,
  z.object({role: z.literal('viewer'), from: z.coerce.number().pipe(offset), epoch: epochSchema.nullable()}),
]);
export type Opening = z.output<typeof openingSchema>;

/** Reads what the Worker vouches for. Undefined where a header is missing: the request did not come through it. */
export function openingOf(request: Request): Opening | undefined {
  const {headers, url} = request;
  return openingSchema.safeParse(
    headers.get(logRoleHeader) === 'runner'
      ? {
          role: 'runner',
          task: headers.get(logTaskHeader),
          epoch: Number(headers.get(logEpochHeader)),
          runner: headers.get(runnerHeader),
        }
      : {
          role: headers.get(logRoleHeader),
          from: new URL(url).searchParams.get('from') ?? 0,
          epoch: headers.has(logEpochHeader) ? Number(headers.get(logEpochHeader)) : null,
        },
  ).data;
}
