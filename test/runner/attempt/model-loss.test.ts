import {subscribe, unsubscribe} from 'node:diagnostics_channel';
import {once} from 'node:events';
import {existsSync, mkdtempSync, writeFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import type {Server} from 'node:http';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {noLimits} from '@switchyard/shared/policy/budget.ts';
import {defaultAgentLimits} from '@switchyard/shared/policy/runaway.ts';
import type {ModelAccess} from '../../../runner/src/agent/driver.ts';
import {openModelDoor, type ModelDoor} from '../../../runner/src/agent/model-access.ts';
import {USAGE_FILE} from '../../../runner/src/agent/proxy/ledger.ts';
import {proxyStatus} from '../../../runner/src/agent/proxy/proxy-status.ts';
import {AttemptModels} from '../../../runner/src/attempt/attempt-models.ts';
import {runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import type {AgentEnd, AttemptPlan, WorkObserver} from '../../../runner/src/attempt/attempt-work.ts';
import {createRunDirectory} from '../../../runner/src/executor/run-directory.ts';
import {identityOf} from '../../../runner/src/executor/process-identity.ts';
import {until} from '../../fixtures/until.ts';
import {scriptedWork} from '../../fixtures/scripted-work.ts';
import {machine} from '../executor/host-harness.ts';

const task = taskIdSchema.parse('tsk_01arz3ndektsv4rrffq69g5fav');
const planOf = (driver: 'claude' | 'exec', epoch: number): AttemptPlan => ({
  task,
  epoch,
  branch: `switchyard/${task}/e${epoch}`,
  logTicket: 'ticket',
  spec: taskSpecSchema.parse({prompt: 'x', agent: {driver, ...(driver === 'exec' ? {command: ['true']} : {})}}),
});

const askPerson = () => ({
  answer: new Promise<never>(() => undefined),
  close: () => undefined,
  withdraw: () => undefined,
});

/** While it is broken, every HTTP server of this process stops to listen when it is asked something, and answers nothing. */
function breakableServers(): {isBroken: boolean} {
  const state = {isBroken: false};
  const hear = (message: unknown): void => {
    if (state.isBroken) (message as {server: Server}).server.close().closeAllConnections();
  };
  subscribe('http.server.request.start', hear);
  onTestFinished(() => void unsubscribe('http.server.request.start', hear));
  return state;
}

test('[MP14] an attempt that loses its model proxy is marked, fails to be tried elsewhere, and what needs a model is left to others until it is back', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'models-'));
  onTestFinished(async () => rm(directory, {recursive: true, force: true}));
  const said: string[] = [];
  const marks: string[] = [];
  const notes: string[] = [];
  const models = new AttemptModels({
    stateDirectory: directory,
    keys: {
      find: async () => ({value: 'sk-key', url: undefined}),
      set: async () => undefined,
      delete: async () => false,
    },
    wallMs: Date.now,
    awakeMs: () => performance.now(),
    random: () => 0,
    use: async () => undefined,
    limitsOf: () => defaultAgentLimits,
    ownLogin: () => null,
    log: line => said.push(line),
  });
  const ended = Promise.withResolvers<AgentEnd>();
  const work = models.metered(
    {
      phaseDetail: ({epoch}, detail) => marks.push(`${epoch}: ${detail}`),
      agentEvent: () => undefined,
      askPerson: () => ({
        answer: ended.promise.then(() => Promise.reject(new Error())),
        close: () => undefined,
        withdraw: () => undefined,
      }),
    },
    () => ({
      ...scriptedWork(directory, {verbMs: 0, agentMs: 0}),
      run: async () => ended.promise,
      note: async ({epoch}, line) => void notes.push(`${epoch}: ${line}`),
    }),
  );
  await models.open({held: () => undefined});
  const [claude, shell] = [planOf('claude', 1), planOf('exec', 2)];
  const servers = breakableServers();
  const {urls} = (await models.access(claude, ['anthropic'])) as ModelAccess;
  const never = new AbortController().signal;
  const runs = [work.run(claude, never), work.run(shell, never)];
  expect([models.offered({ok: true, plan: {...claude, task}}), marks]).toEqual([
    {ok: true, plan: {...claude, task}},
    [],
  ]);

  servers.isBroken = true;
  await expect(models.access(claude, ['anthropic'])).rejects.toMatchObject({code: 'executor_unavailable'});
  expect(marks).toEqual([expect.stringMatching('^1: degraded: the model proxy of this runner cannot be reached')]);
  await until('it is in the log of the attempt', () => notes.length === 1);
  expect([notes[0], said.join()]).toEqual([marks[0], expect.stringContaining('cannot be reached')]);
  expect(models.offered({ok: true, plan: {...claude, task}})).toMatchObject({
    ok: false,
    code: 'executor_unavailable',
    retryable: true,
  });
  expect(models.offered({ok: true, plan: {...shell, task}})).toMatchObject({ok: true});

  const failed = {kind: 'failed', code: 'model_refused', detail: 'no API', retryable: false} as const;
  ended.resolve({exitCode: 1, signal: null, summary: null, result: failed});
  const [ofClaude, ofShell] = await Promise.all(runs);
  expect(ofClaude?.result).toMatchObject({code: 'executor_unavailable', retryable: true});
  expect(ofShell?.result).toEqual(failed);

  servers.isBroken = false;
  await until('what needs a model is taken again', () => models.offered({ok: true, plan: {...claude, task}}).ok);
  // Where agents that run on expect it, under the token that they have.
  expect(await models.access(claude, ['anthropic'])).toMatchObject({urls});
  expect(said.at(-1)).toBe('the model proxy of this runner is well again');
  await models.close();
});

const doorAt = async (stateDirectory: string) =>
  openModelDoor({
    stateDirectory,
    keys: {
      find: async () => ({value: 'sk-key', url: undefined}),
      set: async () => undefined,
      delete: async () => false,
    },
    wallMs: Date.now,
    random: () => 0,
    isLive: () => true,
    budgetOf: () => ({own: noLimits, slice: noLimits}),
    enlarge: async () => true,
    runDirectoryOf: () => stateDirectory,
    log: () => undefined,
    onHealth: () => undefined,
  });

const openedBy = async (of: ModelDoor): Promise<string> =>
  (await of.open({task, epoch: 1}, ['anthropic'])).urls.anthropic;

test('[MP27] a runner whose proxy is in trouble writes down since when, and how many attempts use it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'models-'));
  onTestFinished(async () => rm(directory, {recursive: true, force: true}));
  const {pid, started, bootId} = identityOf(process.pid, machine) ?? {};
  writeFileSync(join(directory, 'runner.pid'), JSON.stringify({pid, start: started, boot_id: bootId}));
  const look = async () => proxyStatus({runnerDirectory: directory, machine});
  const door = await doorAt(directory);
  await openedBy(door);
  expect(await look()).toMatchObject({state: 'listening', attempts: 1});
  const servers = breakableServers();
  servers.isBroken = true;
  await expect(openedBy(door)).rejects.toMatchObject({code: 'executor_unavailable'});
  await expect.poll(look, {timeout: 20_000}).toMatchObject({
    state: 'healing',
    trouble: expect.stringContaining('cannot be reached'),
    since_ms: expect.any(Number),
    attempts: 1,
  });
  servers.isBroken = false;
  await expect.poll(look, {timeout: 20_000}).toMatchObject({state: 'listening', trouble: null, attempts: 1});
  await door.close();
});

test('[MP17] a proxy whose port another program took meanwhile is at another one, which the next process knows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'models-'));
  onTestFinished(async () => rm(directory, {recursive: true, force: true}));
  const first = await doorAt(directory);
  const before = await openedBy(first);
  const servers = breakableServers();
  servers.isBroken = true;
  await expect(openedBy(first)).rejects.toMatchObject({code: 'executor_unavailable'});
  const other = createServer(socket => void socket.destroy());
  // Between two tries to listen anew: the proxy is cut off as soon as it is asked.
  await expect
    .poll(async () => {
      other.listen(Number(new URL(before).port), '127.0.0.1');
      return once(other, 'listening').then(
        () => true,
        () => false,
      );
    })
    .toBe(true);
  onTestFinished(() => void other.close());
  servers.isBroken = false;
  await until('it is well', () => first.trouble() === null);
  const after = await openedBy(first);
  expect(after).not.toBe(before);
  await first.close();
  const next = await doorAt(directory);
  expect(await openedBy(next)).toBe(after);
  await next.close();
});

test('[BG48] what was counted of an attempt is forgotten with its files', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'models-'));
  onTestFinished(async () => rm(directory, {recursive: true, force: true}));
  const plan = planOf('claude', 1);
  const runDir = runDirectoryOf(directory, plan);
  const models = new AttemptModels({
    stateDirectory: directory,
    keys: {find: async () => undefined, set: async () => undefined, delete: async () => false},
    wallMs: Date.now,
    awakeMs: () => performance.now(),
    random: () => 0,
    use: async () => ({rssBytes: 1, cpuMs: 1, processes: 1}),
    limitsOf: () => defaultAgentLimits,
    // Such an agent tells itself what it spends.
    ownLogin: () => ({configDirectory: directory}),
    log: () => undefined,
  });
  const heard = Promise.withResolvers<WorkObserver>();
  const work = models.metered({phaseDetail: () => undefined, agentEvent: () => undefined, askPerson}, observer => {
    heard.resolve(observer);
    return {
      ...scriptedWork(directory, {verbMs: 0, agentMs: 0}),
      clean: async () => rm(runDir, {recursive: true}),
      note: async () => undefined,
    };
  });
  await models.open({held: () => undefined});
  await createRunDirectory(runDir);
  const tokens = {input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4};
  const data = {...tokens, turns: 1, cost_usd: 0.5};
  (await heard.promise).agentEvent(plan, {seq: 0, kind: 'usage_update', data});
  await expect.poll(async () => models.recordOf(plan), {timeout: 20_000}).toMatchObject({spent: {turns: 1}});
  await until('it is kept', () => existsSync(join(runDir, USAGE_FILE)));
  await work.clean(plan);
  expect(await models.recordOf(plan)).toEqual({});
  await models.close();
});
