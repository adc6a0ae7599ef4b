import {chmodSync, existsSync, writeFileSync} from 'node:fs';
import {once} from 'node:events';
import {createServer, type RequestListener} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, onTestFinished, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {HEALTHY, ProxyWatch} from '../../../runner/src/agent/proxy/proxy-watch.ts';
import {runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import type {AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import {HostWork} from '../../../runner/src/attempt/host-work.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {noAgentTools} from '../../fixtures/no-agent-tools.ts';
import {clock, wallNowMs} from '../executor/host-harness.ts';
import {makeGround, task} from '../worktree/ground.ts';

async function proxyThat(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The hands of a runner whose claude notes that it was started, behind a proxy at this address. */
function hands(url: string) {
  const {context, mirrors} = makeGround();
  const started = join(context.root, 'started');
  const program = join(context.root, 'claude');
  writeFileSync(program, `#!/bin/sh\n: >'${started}'\n`);
  chmodSync(program, 0o700);
  const watch = new ProxyWatch({
    url: () => url,
    onChange: () => undefined,
    heal: async () => Promise.reject(new Error('nothing is to be had')),
    nowMs: () => performance.now(),
    random: () => 1,
  });
  const executor = hostExecutor({clock, wallNowMs, cgroupBase: undefined});
  const work = new HostWork({
    stateDirectory: context.root,
    executor,
    trees: {context, mirrors},
    observer: {
      phaseDetail: () => undefined,
      agentEvent: () => undefined,
      askPerson: () => ({answer: new Promise(() => undefined), close: () => undefined, withdraw: () => undefined}),
    },
    nodePath: process.execPath,
    agentProgram: () => program,
    ruling: null,
    people: {holdMs: 1_000, ttlMs: 60_000},
    tools: noAgentTools,
    modelAccess: async () => {
      await watch.check();
      return {token: 'token', urls: {anthropic: url, openai: url, google: url}};
    },
    agentEnvironment: {PATH: process.env['PATH'] ?? ''},
    logOf: () => ({
      secrets: new Secrets(),
      link: {url: 'ws://127.0.0.1:1', headers: async () => ({}), nowMs: () => performance.now(), random: () => 0.5},
    }),
    memoryOf: () => null,
    deadlineUnknown: () => ({softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 90_000}),
    wait: async ms => delay(ms),
  });
  const plan: AttemptPlan = {
    task,
    epoch: 1,
    branch: `switchyard/${task}/e1`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'claude'}}),
  };
  return {work, plan, executor, started, runDir: runDirectoryOf(context.root, plan)};
}

const never = new AbortController().signal;

test.for([
  ['answers 500', (_, response) => void response.writeHead(500).end()],
  ['hangs', () => undefined],
] satisfies [string, RequestListener][])(
  '[MP14] no agent is started while its proxy %s',
  {timeout: 120_000},
  async ([, answer]) => {
    const {work, plan, executor, started, runDir} = hands(await proxyThat(answer));
    await work.prepare(plan, never);
    await expect(work.run(plan, never)).rejects.toMatchObject({code: 'executor_unavailable'});
    expect([existsSync(started), (await executor.status(runDir)).state]).toEqual([false, 'absent']);
    await work.clean(plan);
  },
);

test('[MP14] an agent is started behind a proxy that is well', async () => {
  const {work, plan, started} = hands(await proxyThat((_, response) => void response.end(HEALTHY)));
  await work.prepare(plan, never);
  await work.run(plan, never);
  expect(existsSync(started)).toBe(true);
  await work.clean(plan);
});
