import {expect, test} from 'vitest';
import {newTaskId} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import type {AgentUse} from '@switchyard/shared/policy/runaway.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {PROTOCOL_VERSION, resourcesProtocol} from '@switchyard/shared/protocol/version.ts';
import {ResourceDesk} from '../../../runner/src/attempt/resource-desk.ts';
import type {LinkHandlers, LinkUp} from '../../../runner/src/link/link.ts';

const task = newTaskId(1, length => new Uint8Array(length));
const plan = {task, epoch: 1, spec: taskSpecSchema.parse({prompt: 'x'}), branch: 'b', logTicket: ''};
const metrics = {t: 'metrics', load1: 0, memory_free_bytes: 1, disk_free_bytes: 1, rss_bytes: 1} as const;

/** A desk whose looks find what the test says. */
function desk() {
  const at: {use: AgentUse | undefined} = {use: {rssBytes: 10, cpuMs: 100, processes: 3}};
  const sent: LinkUp[] = [];
  let handlers: LinkHandlers | undefined;
  const it = new ResourceDesk(async () => at.use);
  const link = it.over({
    start: given => void (handlers = given),
    send: message => void sent.push(message),
    status: () => ({state: 'connected', transport: 'websocket', session: 's', lastEnd: null, tries: 0}),
    close: async () => undefined,
  });
  link.start({
    hello: () => ({slots: {}, labels: [], inventory: [], ts: 0}),
    onMessage: () => undefined,
    onDisconnected: () => undefined,
    onFatal: () => undefined,
  });
  const welcome = (protocol: number): void => handlers?.onMessage({t: 'welcome', protocol} as DownMessage);
  return {at, desk: it, link, sent, welcome};
}

const most = {rss_bytes_max: 20, processes_max: 5};

test('[BG34] the metrics of a machine say what each attempt uses, with the most that was seen', async () => {
  const {at, desk: it, link, sent, welcome} = desk();
  welcome(PROTOCOL_VERSION);
  link.send(metrics);
  await it.sample(plan);
  at.use = {rssBytes: 20, cpuMs: 90, processes: 5};
  await it.sample(plan);
  at.use = {rssBytes: 5, cpuMs: 200, processes: 1};
  await it.sample(plan);
  link.send(metrics);
  const last = {rss_bytes: 5, processes: 1, cpu_ms: 200, ...most};
  expect(sent).toEqual([
    {...metrics, attempts: []},
    {...metrics, attempts: [{task, epoch: 1, ...last}]},
  ]);
});

test('[BG34] the record of an exit says what was used until then, also where the last look found nobody', async () => {
  const {at, desk: it, link, sent, welcome} = desk();
  welcome(PROTOCOL_VERSION);
  expect(it.recordOf(plan)).toBeUndefined();
  await it.sample(plan);
  at.use = undefined;
  expect(await it.sample(plan)).toBeNull();
  it.ended(plan);
  const record = {rss_bytes: 0, processes: 0, cpu_ms: 100, rss_bytes_max: 10, processes_max: 3};
  expect(it.recordOf(plan)).toEqual(record);
  link.send(metrics);
  expect(sent).toEqual([{...metrics, attempts: []}]);
  it.forget(plan);
  expect(it.recordOf(plan)).toBeUndefined();
});

test('[BG34] what the control plane would not understand is not said', async () => {
  const {desk: it, link, sent, welcome} = desk();
  welcome(resourcesProtocol - 1);
  await it.sample(plan);
  link.send(metrics);
  expect(sent).toEqual([metrics]);
});
