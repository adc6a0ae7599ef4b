import {figuresOf, limitsOf} from '@switchyard/shared/domain/spending.ts';
import {isLimited, type Limits} from '@switchyard/shared/policy/budget.ts';
import type {Batch} from './batch.ts';
import {spentByTask} from './cost-row.ts';
import {hasMeter} from './lane.ts';
import type {TaskRow} from './task-row.ts';

type Ref = Pick<TaskRow, 'id' | 'lane' | 'epoch'>;

/**
 * Opens the purses of a task that states a budget, where they are not: that of all its attempts, and that of the session
 * which this attempt begins or goes on with. Answers all that the attempt spends of, those of the tasks above among them.
 */
export function openPurses(batch: Batch, of: Ref): readonly string[] {
  // Who spends of a purse has a budget: a sub-task has no other than that of its parent.
  if (!hasMeter(of.lane)) return [];
  const {budget = {}} = batch.spec(of.id);
  const from = sessionOf(batch, of);
  open(batch, {id: of.id, task: of.id, limits: limitsOf(budget.total ?? {}), from: 1});
  open(batch, {id: sessionPurse(of.id, from), task: of.id, limits: limitsOf(budget), from});
  return pursesOf(batch, of);
}

/** All that an attempt spends of, as far as they were opened. */
export function pursesOf(batch: Batch, of: Ref): readonly string[] {
  if (!hasMeter(of.lane)) return [];
  const {purses} = batch.memory.spending;
  const own = [of.id, sessionPurse(of.id, sessionOf(batch, of))].filter(id => purses.purse(id) !== undefined);
  const above = batch.context.sql.all<{purse: string}>(
    'SELECT purse FROM purse_share WHERE task = ? ORDER BY purse',
    of.id,
  );
  return [...own, ...above.map(({purse}) => purse)];
}

/** What a sub-task spends counts for the attempt that made it, and for all that this one counts for. */
export function sharePurses(batch: Batch, parent: Ref, child: string): void {
  for (const purse of pursesOf(batch, parent))
    batch.context.sql.run('INSERT OR IGNORE INTO purse_share (task, purse) VALUES (?, ?)', child, purse);
}

/** What goes on from a sub-task spends of what that one spent of, beside its own. */
export function passOnPurses({context: {sql}}: Batch, {from, to}: {readonly from: string; readonly to: string}): void {
  sql.run('INSERT OR IGNORE INTO purse_share (task, purse) SELECT ?, purse FROM purse_share WHERE task = ?', to, from);
}

const sessionPurse = (task: string, from: number): string => `${task}/e${from}`;

/** The first attempt of those that went on with one session: they count as if they were one. */
const sessionOf = (batch: Batch, {id, epoch}: Ref): number => batch.newestEndBut(id, 'waiting', epoch) + 1;

type Opened = {readonly id: string; readonly task: string; readonly limits: Limits; readonly from: number};

function open(batch: Batch, {id, task, limits, from}: Opened): void {
  const {spending} = batch.memory;
  if (!isLimited(limits) || spending.purses.purse(id) !== undefined) return;
  const places = {sql: batch.context.sql, unwritten: spending.unwritten};
  const spent = figuresOf(spentByTask(places, {task, from}));
  batch.undoable(spending.purses.set({id, task, limits, spent}));
}
