import type {Context} from 'hono';
import {getTaskLog} from '@switchyard/shared/api/task-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {LOG_VIEW_SUBPROTOCOL} from '@switchyard/shared/protocol/log-view.ts';
import type {LogAccess} from '../fleet/fleet-rpc.ts';
import {authorize, type Access} from '../http/caller.ts';
import {signedView} from '../http/exchange.ts';
import {offeredProtocols, requireUpgrade, upgradeRequest} from '../http/forward-upgrade.ts';
import type {TaskLogStub} from '../http/installation.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {openTailBytes} from '../http/utf8-boundary.ts';
import {validate} from '../http/validate.ts';
import {logEpochHeader, logRoleHeader, logStateHeader, type LogPage} from '../tasklog/task-log-rpc.ts';
import {logForm} from './log-form.ts';
import {logEventStream, type EndData} from './log-stream.ts';

export const pageBytesMax = 262_144;
const STREAM_PAGE_BYTES = 1_048_576;
const tokenProtocol = /^bearer\.(?<token>[A-Za-z0-9_-]+)$/;

export function mountTaskLog(api: Api): void {
  const {app, installation} = api;

  mount(
    api,
    getTaskLog,
  )(async ({fleet, caller, pool, params: {task}, query, header}) => {
    const form = logForm(header('accept') ?? '');
    const access = unwrap(await fleet.logAccess(caller, {task, live: form === 'events', epoch: query.epoch}));
    const log = installation.taskLog(pool, task);
    if (form === 'json')
      return {status: 200, body: jsonPage(await pageOf(log, access, {...query, bytesMax: pageBytesMax}))};
    if (form === 'bytes') return byteAnswer(log, access, query);
    const endData: EndData = ({state, length}) => ({state, length});
    return followAsEvents(log, {access, ...query, lastEventId: header('last-event-id'), endData});
  });

  app.get('/v1/tasks/:task/log/live', async context => {
    const request = context.req.raw;
    requireUpgrade(request);
    const {task} = validate(liveParams, context.req.param(), 'params');
    const {from, epoch} = validate(liveQuery, context.req.query(), 'query');
    const {fleet, caller, pool} = await authorizeViewer(context, api);
    const access = unwrap(await fleet.logAccess(caller, {task, live: true, epoch}));
    const protocol = offeredProtocols(request).includes(LOG_VIEW_SUBPROTOCOL) ? LOG_VIEW_SUBPROTOCOL : undefined;
    return openViewer(installation.taskLog(pool, task), {access, from, epoch, protocol});
  });
}

const liveParams = getTaskLog.params ?? neverAbsent();
const liveQuery = getTaskLog.query ?? neverAbsent();

function neverAbsent(): never {
  throw new SwitchyardError('internal', 'the contract of the log has params and a query');
}

/** A browser cannot set headers on a WebSocket, so the token may travel as a subprotocol; never in the URL. */
async function authorizeViewer(context: Context, {installation}: Api): Promise<Access> {
  const request = context.req.raw;
  const token = offeredProtocols(request)
    .map(protocol => tokenProtocol.exec(protocol)?.groups?.['token'])
    .find(each => each !== undefined);
  const signed = signedView(request, new Uint8Array());
  const header = (name: string): string | undefined =>
    name === 'authorization' && token !== undefined ? `Bearer ${token}` : signed.header(name);
  return authorize({...signed, header}, 'read', installation);
}

function resumeOffset(lastEventId: string | undefined): number | undefined {
  return lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined;
}

type Range = {readonly from: number; readonly bytesMax: number; readonly epoch?: number | undefined};

/** A task that was never offered, or whose only attempt wrote nothing, has no log: no object is made for the answer. */
export async function pageOf(log: TaskLogStub, {epoch, isEmpty}: LogAccess, range: Range): Promise<LogPage> {
  if (epoch !== 0 && !isEmpty) return log.read(range);
  return {epoch, from: range.from, to: range.from, length: 0, sealed: isEmpty, bytes: new Uint8Array()};
}

type Following = {
  readonly access: LogAccess;
  readonly from: number;
  /** Offsets count from the start of this attempt. */
  readonly epoch?: number | undefined;
  readonly lastEventId: string | undefined;
  readonly endData: EndData;
};

/** A live stream of events from where the reader was before, else from `from`. */
export async function followAsEvents(
  log: TaskLogStub,
  {access, epoch, lastEventId, endData, ...rest}: Following,
): Promise<Response> {
  const from = resumeOffset(lastEventId) ?? rest.from;
  const socket = await viewerSocket(log, {access, from, epoch});
  return new Response(logEventStream(socket, {from, endData}), {
    headers: {'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform'},
  });
}

/** A page ends between two characters where more may follow, so that pages can be put together. */
export function jsonPage({bytes, epoch, from, to, length, sealed}: LogPage) {
  const isLast = sealed && to === length;
  const open = isLast ? 0 : openTailBytes(bytes);
  const whole = open === bytes.length ? bytes : bytes.subarray(0, bytes.length - open);
  return {epoch, from, to: from + whole.length, length, sealed, text: new TextDecoder().decode(whole)};
}

/** Everything that was there when the request came, page by page, as fast as the reader takes it. */
async function byteAnswer(log: TaskLogStub, access: LogAccess, query: Omit<Range, 'bytesMax'>): Promise<Response> {
  const first = await pageOf(log, access, {...query, bytesMax: STREAM_PAGE_BYTES});
  let page = first;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (page.bytes.length > 0) controller.enqueue(page.bytes);
      if (page.to >= first.length || page.bytes.length === 0) {
        controller.close();
        return;
      }
      const bytesMax = Math.min(STREAM_PAGE_BYTES, first.length - page.to);
      page = await pageOf(log, access, {...query, from: page.to, bytesMax});
    },
  });
  return new Response(body, {
    headers: {
      'content-type': 'application/octet-stream',
      'x-log-epoch': String(first.epoch),
      'x-log-from': String(first.from),
      'x-log-length': String(first.length),
      'x-log-sealed': String(first.sealed),
    },
  });
}

type Viewing = {
  readonly access: LogAccess;
  readonly from: number;
  readonly epoch?: number | undefined;
  readonly protocol?: string | undefined;
};

async function openViewer(log: TaskLogStub, {access, from, epoch, protocol}: Viewing): Promise<Response> {
  const url = `https://task-log/?from=${from}`;
  const followed =
    epoch === undefined
      ? {[logStateHeader]: access.state}
      : {[logEpochHeader]: String(epoch), [logStateHeader]: access.ended ?? ''};
  const answer = await log.fetch(upgradeRequest(url, {[logRoleHeader]: 'viewer', ...followed}, protocol));
  if (answer.status === 429)
    throw new SwitchyardError('rate_limited', 'the log has all the live viewers that it may have');
  return answer;
}

async function viewerSocket(log: TaskLogStub, viewing: Viewing): Promise<WebSocket> {
  const {webSocket} = await openViewer(log, viewing);
  if (webSocket === null) throw new SwitchyardError('unavailable', 'the log of the task took no viewer');
  return webSocket;
}
