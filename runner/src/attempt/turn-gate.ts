import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {expectsChange} from '@switchyard/shared/domain/role-defaults.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Answer, Ask} from '../agent/driver.ts';
import {readRunFile, writeRunFile} from '../executor/run-directory.ts';
import type {Worktree} from '../worktree/places.ts';
import {readWorkState} from '../worktree/work-state.ts';
import type {Trees} from './attempt-tree.ts';
import type {AttemptPlan} from './attempt-work.ts';
import type {ChecksEnd} from './checks-run.ts';
import {completionGate, isWorthChecking, reasonWords, type GateFacts, type GateVerdict} from './completion-gate.ts';

export type TurnGateOptions = {
  readonly plan: AttemptPlan;
  readonly runDir: string;
  readonly trees: Trees;
  readonly worktree: Worktree | undefined;
  /** What is wrong with the agent's last message as the outcome of its role; null where nothing is. */
  readonly outcomeComplaint: (said: string) => string | null;
  /** Runs the declared checks while the agent waits; each number is run once. */
  readonly runChecks: (round: number, signal: AbortSignal) => Promise<ChecksEnd>;
  /** The checks passed on exactly this tree. */
  readonly onChecked: (tree: string) => void;
  readonly tell: (line: string) => Promise<void>;
};

type StopAsk = Extract<Ask, {kind: 'stop'}>;

export type TurnGate = (ask: StopAsk, signal: AbortSignal) => Promise<Answer>;

const decisionSchema = z.strictObject({ask: z.string(), goOn: z.string().nullable()});
type Decision = z.output<typeof decisionSchema>;

/**
 * Decides, each time an agent wants to end its turn, whether its work is complete. A decision is written down before it
 * is told: a runner that starts over tells the same one, so that no agent is sent back twice for one turn.
 */
export function turnGate(options: TurnGateOptions): TurnGate {
  let last: Promise<unknown> = Promise.resolve();
  return async (ask, signal) => {
    const decided = last.catch(() => undefined).then(async () => decide(options, ask, signal));
    last = decided;
    return answerOf(await decided);
  };
}

const answerOf = ({goOn}: Decision): Answer =>
  goOn === null ? {kind: 'allow', reason: 'the turn may end'} : {kind: 'goOn', reason: goOn};

async function decide(options: TurnGateOptions, ask: StopAsk, signal: AbortSignal): Promise<Decision> {
  const before = await readDecisions(options.runDir);
  const known = before.find(each => each.ask === ask.id);
  if (known !== undefined) return known;
  const sentBack = before.filter(({goOn}) => goOn !== null).length;
  const verdict = await judged(options, {ask, sentBack, round: before.length, signal});
  const decision = {ask: ask.id, goOn: verdict.verdict === 'go_on' ? verdict.message : null};
  await writeRunFile(options.runDir, fileOf(before.length), JSON.stringify(decision));
  const line = lineOf(verdict, sentBack);
  if (line !== null) await options.tell(line);
  return decision;
}

type Turn = {
  readonly ask: StopAsk;
  readonly sentBack: number;
  readonly round: number;
  readonly signal: AbortSignal;
};

/** What cannot be found out now is judged when the agent has ended. */
async function judged(options: TurnGateOptions, {ask, sentBack, round, signal}: Turn): Promise<GateVerdict> {
  // Nothing more would come of knowing: it is let go, and judged by what it leaves.
  if (sentBack >= limits.completionRemindersMax) return {verdict: 'let_go', reasons: []};
  try {
    const {plan, trees, worktree} = options;
    const work = worktree === undefined ? null : await readWorkState(trees.context, worktree);
    const facts = {
      branch: worktree?.branch ?? plan.branch,
      work,
      expectsChange: expectsChange(plan.spec),
      outcomeComplaint: options.outcomeComplaint(ask.said),
    };
    const checks = await checked(options, facts, {round, signal});
    if (checks?.passed === true && work?.state === 'on_branch') options.onChecked(work.tree);
    return completionGate({...facts, checks}, sentBack);
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    await options.tell(`the work could not be looked at before the agent ended: ${error.code}: ${error.detail}`);
    return {verdict: 'let_go', reasons: []};
  }
}

async function checked(
  {plan, runChecks}: TurnGateOptions,
  facts: Omit<GateFacts, 'checks'>,
  {round, signal}: Pick<Turn, 'round' | 'signal'>,
): Promise<GateFacts['checks']> {
  if (plan.spec.checks.length === 0 || !isWorthChecking(facts)) return null;
  return runChecks(round, signal);
}

function lineOf(verdict: GateVerdict, sentBack: number): string | null {
  const why = verdict.reasons.map(reason => reasonWords[reason]).join('; ');
  if (verdict.verdict === 'go_on')
    return `the agent is sent back (${sentBack + 1} of ${limits.completionRemindersMax}): ${why}`;
  return sentBack >= limits.completionRemindersMax
    ? `the agent was sent back ${sentBack} times and is let go as it is`
    : null;
}

const fileOf = (index: number): string => `gate-${index}`;

async function readDecisions(runDir: string): Promise<readonly Decision[]> {
  const decisions: Decision[] = [];
  for (;;) {
    const read = decisionSchema.safeParse(parseJson((await readRunFile(runDir, fileOf(decisions.length))) ?? ''));
    if (!read.success) return decisions;
    decisions.push(read.data);
  }
}
