import {expect, onTestFinished, test, vi} from 'vitest';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {noFigures, noLimits} from '@switchyard/shared/policy/budget.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {noneSpent, type Spent} from '@switchyard/shared/protocol/spending.ts';
import {PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import {SpendingDesk} from '../../../runner/src/attempt/spending-desk.ts';
import type {LinkHandlers, LinkUp} from '../../../runner/src/link/link.ts';

const task = 'tsk_1' as TaskId;
const of = {task, epoch: 1};
const wants = {cost_micros: 5, tokens: 50, turns: 5};
const slice = {...noLimits, tokens: 50};

/** A desk between a loop that does nothing and a control plane that is played by the test. */
function desk(spent: Spent | null) {
  const sent: LinkUp[] = [];
  let handlers: LinkHandlers | undefined;
  const warnings: string[] = [];
  const it = new SpendingDesk({
    spent: async () => spent,
    warned: ({task}, line) => void warnings.push(`${task} ${line}`),
    log: () => undefined,
  });
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
  const hear = (message: object): void => handlers?.onMessage(message as DownMessage);
  const welcome = (protocol: number = PROTOCOL_VERSION): void => hear({t: 'welcome', protocol});
  const answer = (more: object = {}): void => hear({t: 'allowance', ...of, slice, wants, ...more});
  return {desk: it, link, sent, warnings, welcome, answer, hear};
}

const spent: Spent = {...noneSpent, turns: 2, output_tokens: 40};

test('[BG26] every renewal tells what each attempt has spent, and nothing of one that spent nothing', async () => {
  for (const [has, told] of [
    [spent, 1],
    [null, 0],
  ] as const) {
    const at = desk(has);
    at.welcome();
    const renew = {t: 'renew', ts: 1, slots: {}, items: [{...of, phase: 'running', spool_len: 0}]} as const;
    at.link.send({...renew, items: [...renew.items]});
    await new Promise(setImmediate);
    expect(at.sent.filter(({t}) => t === 'spending')).toHaveLength(told);
  }
});

test('[BG26] a question is asked again over a new connection, until it is answered', async () => {
  const at = desk(spent);
  at.welcome();
  const asked = at.desk.enlarge(of, wants);
  await expect.poll(() => at.sent).toEqual([{t: 'spending', ...of, spent, wants}]);
  at.answer({wants: null});
  at.answer({wants: {...wants, tokens: 49}});
  at.answer({epoch: 2});
  at.welcome();
  await expect.poll(() => at.sent).toHaveLength(2);
  at.answer();
  expect(await asked).toBe(true);
  const held = {...of, spec: taskSpecSchema.parse({prompt: 'x'}), allowance: null};
  expect(at.desk.budgetOf(held).slice).toEqual(slice);
});

test('[BG26] the answer to a later, larger question serves an earlier one', async () => {
  const at = desk(null);
  at.welcome();
  const asked = at.desk.enlarge(of, wants);
  at.answer({wants: {...wants, tokens: 51}});
  expect(await asked).toBe(true);
});

test('[BG12] the log of an attempt says that a budget is nearly spent', () => {
  const at = desk(null);
  at.welcome();
  at.hear({t: 'budget_warning', ...of, budget: 'every-day', percent: 75});
  expect(at.warnings).toEqual(['tsk_1 75 percent of the budget every-day are spent']);
});

test('[BG7] no answer in time is said as that', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const at = desk(null);
  const asked = at.desk.enlarge(of, wants);
  await vi.advanceTimersByTimeAsync(limits.budgetAnswerMs);
  expect(await asked).toBe(false);
});

test('[BG26] the record of an exit says what was spent, also before the first session', async () => {
  expect(await desk(spent).desk.recordOf(of)).toEqual(spent);
  expect(await desk(null).desk.recordOf(of)).toBeUndefined();
});

test('[BG4] the limits of a task hold beside the slice, less what earlier attempts have spent', () => {
  const at = desk(null);
  const spec = taskSpecSchema.parse({prompt: 'x', budget: {total: {turns_max: 5}}});
  const allowance = {slice, spent_before: {...noFigures, turns: 3}};
  expect(at.desk.budgetOf({...of, spec, allowance})).toEqual({own: {...noLimits, turns: 2}, slice});
  expect(at.desk.budgetOf(undefined)).toEqual({own: noLimits, slice: noLimits});
});
