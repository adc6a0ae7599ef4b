import {readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import type {PersonReply} from '../../../runner/src/agent/tool-gate.ts';
import type {PersonAsk} from '../../../runner/src/attempt/ask-desk.ts';
import {agentHomeOf, LOG_FILE, runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import type {AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import {HostWork} from '../../../runner/src/attempt/host-work.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {noAgentTools} from '../../fixtures/no-agent-tools.ts';
import {clock, wallNowMs} from '../executor/host-harness.ts';
import {makeGround, sh, task} from '../worktree/ground.ts';

const agent = fileURLToPath(new URL('../../fixtures/agents/acp-asking-stub.mjs', import.meta.url));
const never = new AbortController().signal;
const access = {token: 'token', urls: {anthropic: 'http://a', openai: 'http://o', google: 'http://g'}};
const approved: PersonReply = {decision: 'approve', text: '', by: 'somebody'};

/** A runner whose charter has people decide about everything; nobody decides before `decide` is called. */
function scene() {
  const {base, context, mirrors, upstream} = makeGround();
  const asks: PersonAsk[] = [];
  const prompts = join(base, 'prompts');
  let reply: PersonReply | undefined;
  const work = new HostWork({
    stateDirectory: context.root,
    executor: hostExecutor({clock, wallNowMs, cgroupBase: undefined}),
    trees: {context, mirrors},
    observer: {
      phaseDetail: () => undefined,
      agentEvent: () => undefined,
      askPerson: (_plan, ask) => {
        asks.push(ask);
        const answer = reply === undefined ? new Promise<never>(() => undefined) : Promise.resolve(reply);
        return {answer, close: () => undefined, withdraw: () => undefined};
      },
    },
    nodePath: process.execPath,
    agentProgram: () => agent,
    ruling: () => ({decision: 'escalate', rule: 'all', reason: 'people decide'}),
    people: {holdMs: 1_000, ttlMs: 60_000},
    tools: noAgentTools,
    modelAccess: async () => access,
    agentEnvironment: {PATH: process.env['PATH'] ?? '', STUB_COMMAND: 'echo once >>count.txt', STUB_PROMPTS: prompts},
    logOf: () => ({
      secrets: new Secrets(),
      // Nobody listens there: the spool is all that these tests look at.
      link: {url: 'ws://127.0.0.1:1', headers: async () => ({}), nowMs: () => performance.now(), random: () => 0.5},
    }),
    memoryOf: () => null,
    deadlineUnknown: () => ({softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 90_000}),
    wait: async ms => delay(ms),
  });
  const spec = taskSpecSchema.parse({prompt: 'Count.', repository: {url: upstream}, agent: {driver: 'opencode'}});
  const planOf = (epoch: number): AttemptPlan => ({
    task,
    epoch,
    branch: `switchyard/${task}/e${epoch}`,
    logTicket: 'ticket',
    spec,
  });
  const run = async (plan: AttemptPlan) => {
    await work.prepare(plan, never);
    return work.run(plan, never);
  };
  return {
    asks,
    context,
    run,
    planOf,
    upstream,
    work,
    decide: (given: PersonReply): void => {
      reply = given;
    },
    prompts: (): readonly string[] => readFileSync(prompts, 'utf8').trim().split('\n'),
    log: (plan: AttemptPlan): string => readFileSync(join(runDirectoryOf(context.root, plan), LOG_FILE), 'utf8'),
  };
}

test('[CP15] an agent that nobody answers soon ends as waiting, and goes on with the call that was approved', async () => {
  const {asks, decide, log, planOf, prompts, run, upstream, work} = scene();
  const [first, second] = [planOf(1), planOf(2)];
  const waiting = await run(first);
  const [asked] = asks;
  expect(waiting.result, log(first)).toEqual({kind: 'waiting', asks: [asked?.id]});
  await work.clean(first);
  decide(approved);
  const end = await run(second);
  expect(end, log(second)).toMatchObject({result: null, summary: 'it ran'});
  expect(asks.map(({id, input}) => ({id, input}))).toEqual(
    [asked, asked].map(ask => ({id: ask?.id, input: ask?.input})),
  );
  expect(prompts()).toHaveLength(2);
  expect(prompts()[1]).toContain('make exactly the same call again'.replace('make', 'Make'));
  const {result} = await work.finish(second, end, never);
  expect(result.kind, log(second)).toBe('succeeded');
  expect(sh(upstream, 'show', `${second.branch}:count.txt`)).toBe('once');
  await work.clean(second);
});

test('[CP16] an agent whose session is lost begins anew in its folder, and is told that it was interrupted', async () => {
  const {asks, context, decide, log, planOf, prompts, run, work} = scene();
  await run(planOf(1));
  await work.clean(planOf(1));
  rmSync(join(agentHomeOf(context.root, task), '.local'), {recursive: true});
  decide(approved);
  const end = await run(planOf(2));
  expect(end, log(planOf(2))).toMatchObject({result: null, summary: 'it ran'});
  expect(prompts()[1]).toContain('Count.');
  expect(asks.map(({id}) => id)).toEqual([asks[0]?.id, asks[0]?.id]);
  await work.clean(planOf(2));
});
