import {nameOrNull} from '@switchyard/shared/domain/repository-name.ts';
import {figuresOf} from '@switchyard/shared/domain/spending.ts';
import {
  addFigures,
  enlarge,
  firstSlice,
  isLimited,
  noFigures,
  noLimits,
  percentSpent,
  warningAt,
  type Figures,
} from '@switchyard/shared/policy/budget.ts';
import {dayOf, periodStartMs} from '@switchyard/shared/policy/budget-period.ts';
import {noneSpent, type Allowance, type Spent} from '@switchyard/shared/protocol/spending.ts';
import {sessionSpendingProtocol, spendingProtocol} from '@switchyard/shared/protocol/version.ts';
import {heldRow} from './attempt-claim.ts';
import type {Batch} from './batch.ts';
import {askForMore, withdrawAsk} from './budget-asks.ts';
import {applyCharters} from './charter-budgets.ts';
import {dueMs, isFor, limitsAt, type Budget, type Slice} from './budget-row.ts';
import {readLane} from './lane.ts';
import {sourceOf} from './source.ts';
import {addSpent, isNothing, spentByTask, spentMore} from './cost-row.ts';
import {openPurses, pursesOf} from './purses.ts';
import type {TaskRow} from './task-row.ts';
import type {From, Ref} from './up-work.ts';

/** Sets a slice aside for an attempt that is offered, where a budget holds or its task states one. */
export function setAside(batch: Batch, row: TaskRow): void {
  const {spending} = batch.memory;
  const purses = openPurses(batch, row);
  if (!spending.hasBudgets && purses.length === 0) return;
  const spender = {...spenderOf(batch, row, row.runner), purses};
  const granted = firstSlice(spending.rest(spender, batch.nowMs));
  if (isLimited(granted)) setSlice(batch, row.id, {...spender, epoch: row.epoch, spent: noneSpent, granted});
}

/**
 * Whether nothing is left of what a task, or one above it, lets all that work for it spend: `spent` for good, or
 * `promised` to attempts that live.
 */
export function emptyPurse(batch: Batch, row: TaskRow): 'spent' | 'promised' | undefined {
  const {spending} = batch.memory;
  const purses = spending.slice(row.id)?.purses ?? pursesOf(batch, {...row, epoch: row.epoch + 1});
  return spending.purses.empty(purses);
}

/**
 * What has to be signed into an offer; undefined where no budget holds and nothing was spent before, and for a runner
 * that would not understand it, which is offered nothing that needs it.
 */
export function allowanceFor(batch: Batch, row: TaskRow, protocol: number): Allowance | undefined {
  const {spending} = batch.memory;
  const slice = spending.slice(row.id)?.granted ?? noLimits;
  const before = row.epoch === 1 ? noFigures : spentBefore(batch, row, 0);
  const isFirst = before.turns === 0;
  if (protocol < spendingProtocol || (isFirst && !isLimited(slice))) return undefined;
  const session = protocol < sessionSpendingProtocol ? {} : {session_spent: sessionSpent(batch, row)};
  return {slice, spent_before: before, ...session};
}

/** By attempts that were put off to wait for a person, and that this one goes on for. */
function sessionSpent(batch: Batch, row: TaskRow): Figures {
  return spentBefore(batch, row, batch.newestEndBut(row.id, 'waiting'));
}

function spentBefore({context: {sql}, memory}: Batch, {id}: TaskRow, afterEpoch: number): Figures {
  return figuresOf(spentByTask({sql, unwritten: memory.spending.unwritten}, {task: id, from: afterEpoch + 1}));
}

/** Gives back what an attempt was given and did not spend. */
export function release(batch: Batch, task: string): void {
  if (batch.memory.spending.slice(task) !== undefined) batch.undoable(batch.memory.spending.setSlice(task, undefined));
}

/**
 * Takes the totals of an attempt, enlarges its slice where it asks and anything is left, and answers how far it may go.
 * What an attempt spent counts although its lease is over; it is given nothing more.
 */
export function takeSpending(
  batch: Batch,
  from: From,
  {ref, spent, wants}: {readonly ref: Ref; readonly spent: Spent; readonly wants: Figures | null},
): void {
  const row = heldRow(batch, from, ref);
  if (row === undefined) {
    chargeLate(batch, from, {ref, spent});
    return;
  }
  charge(batch, row, spent);
  const {spending} = batch.memory;
  const slice = sliceOf(batch, row);
  const rest = spending.rest(slice, batch.nowMs);
  const reached = figuresOf(slice.spent);
  const granted = enlarge(slice.granted, {spent: reached, wanted: wants ?? reached}, rest);
  if (JSON.stringify(granted) !== JSON.stringify(slice.granted)) setSlice(batch, row.id, {...slice, granted});
  if (wants !== null || isLimited(granted))
    batch.send(from.runner, {t: 'allowance', task: ref.task, epoch: ref.epoch, slice: granted, wants});
}

/** Counts what a live attempt has spent since the last report; the same report again counts nothing. */
export function charge(batch: Batch, row: TaskRow, spent: Spent): void {
  const slice = sliceOf(batch, row);
  const more = spentMore(slice.spent, spent);
  if (isNothing(more)) return;
  setSlice(batch, row.id, {...slice, spent: addSpent(slice.spent, more)});
  book(batch, slice, more);
}

/** An attempt that this runner held, and that ended before it could say everything. */
export function chargeLate(
  batch: Batch,
  {runner}: From,
  {ref, spent}: {readonly ref: Ref; readonly spent: Spent},
): void {
  const row = batch.task(ref.task);
  if (row === undefined || batch.attemptOutcome(ref.task, ref.epoch, runner) === undefined) {
    batch.context.refuse('spending.unknown');
    return;
  }
  const {spending} = batch.memory;
  const places = {sql: batch.context.sql, unwritten: spending.unwritten};
  const known = spentByTask(places, {task: ref.task, from: ref.epoch, to: ref.epoch});
  const more = spentMore(known, spent);
  const of = {task: ref.task, epoch: ref.epoch, purses: pursesOf(batch, {...row, epoch: ref.epoch})};
  if (!isNothing(more)) book(batch, {...spenderOf(batch, row, runner), ...of}, more);
}

type Booked = Pick<Slice, 'task' | 'epoch' | 'agent_type' | 'repository' | 'source' | 'runner' | 'purses'>;

function book(batch: Batch, {task, epoch, purses, agent_type, repository, source, runner}: Booked, more: Spent): void {
  const spender = {agent_type, repository, source, runner};
  const {spending} = batch.memory;
  for (const id of purses) batch.undoable(spending.purses.spend(id, figuresOf(more)));
  batch.undoable(spending.addCost({day: dayOf(batch.nowMs), task, epoch, ...spender, spent: more}));
  for (const budget of spending.matching(spender)) {
    const spent = addFigures(budget.spent, figuresOf(more));
    const warned = warn(batch, {...budget, spent});
    const next = {...budget, spent, warned};
    batch.undoable(spending.setBudget(budget.id, next));
    askForMore(batch, next);
  }
}

/**
 * Says each warning of a period once: to whoever manages the pool, and in the history and the log of every task that
 * spends of the budget right then.
 */
function warn(batch: Batch, budget: Budget): number {
  const percent = percentSpent(limitsAt(budget, batch.nowMs), budget.spent);
  const level = warningAt(percent);
  if (level <= budget.warned) return budget.warned;
  const data = {budget: budget.id, percent: level};
  batch.audit({actor: 'fleet', action: 'budget.warning', target: budget.id, detail: JSON.stringify(data)});
  for (const row of [...batch.memory.live.all()]) {
    if (!isFor(budget, spenderOf(batch, row, row.runner))) continue;
    batch.change(row, {}, {kind: 'budget.warning', data});
    if (row.state === 'leased') batch.send(row.runner, {t: 'budget_warning', task: row.id, epoch: row.epoch, ...data});
  }
  return level;
}

/** Begins the periods whose time has come, and ends overrides. Runs before anything else of a batch. */
export function passBudgets(batch: Batch): void {
  const {spending} = batch.memory;
  if (!spending.hasBudgets) return;
  const due = spending.budgets().filter(budget => dueMs(budget) <= batch.nowMs);
  for (const budget of due) pass(batch, budget);
  // A share is one of the limits that hold right now.
  if (due.some(({override}) => override !== null)) applyCharters(batch);
}

function pass(batch: Batch, budget: Budget): void {
  const next = passed(budget, batch.nowMs);
  batch.undoable(batch.memory.spending.setBudget(budget.id, next));
  if (next.window_ms === budget.window_ms) askForMore(batch, next);
  else withdrawAsk(batch, budget);
}

function passed(budget: Budget, nowMs: number): Budget {
  const override = budget.override !== null && budget.override.until_ms > nowMs ? budget.override : null;
  const window_ms = periodStartMs(budget.period, nowMs);
  if (window_ms === budget.window_ms) return {...budget, override};
  return {...budget, override, window_ms, spent: noFigures, warned: 0};
}

/** Of a live attempt; an empty one where no budget held when it was offered. */
function sliceOf(batch: Batch, row: TaskRow): Slice {
  const {id: task, epoch} = row;
  const known = batch.memory.spending.slice(task);
  if (known !== undefined) return known;
  const purses = pursesOf(batch, row);
  return {...spenderOf(batch, row, row.runner), task, epoch, purses, spent: noneSpent, granted: noLimits};
}

function setSlice(batch: Batch, task: string, slice: Omit<Slice, 'task'>): void {
  batch.undoable(batch.memory.spending.setSlice(task, {...slice, task}));
}

/** Whose budgets an attempt counts for on this runner. */
function spenderOf(
  batch: Batch,
  {agent_type, repository, lane}: TaskRow,
  runner: string | null,
): Pick<Slice, 'agent_type' | 'repository' | 'source' | 'runner'> {
  const labels = runner === null ? undefined : batch.runner(runner)?.labels;
  const source = sourceOf(readLane(lane), labels ?? new Set());
  return {agent_type, repository: nameOrNull(repository), source, runner: runner ?? undefined};
}
