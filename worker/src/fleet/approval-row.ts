import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import type {ApprovalId, TaskId} from '@switchyard/shared/domain/id.ts';
import type {ApprovalKind, ApprovalState} from '@switchyard/shared/machine/approval-machine.ts';
import type {ApprovalPage} from './fleet-rpc.ts';
import {grantedView} from './granted.ts';
import type {Sql} from './sql.ts';

/** What a person was asked, and what became of it. Times are milliseconds since 1970 by the clock of the Fleet. */
export type ApprovalRow = {
  readonly id: ApprovalId;
  /** Null for the question of a budget. */
  readonly task: TaskId | null;
  /** The agent's own name for it: the id of its tool call. Of a budget, its name and the begin of its period. */
  readonly ask: string;
  /** The attempt that asked last. */
  readonly epoch: number;
  /** 1 when that attempt ended in order to wait for it: the attempt that goes on with its session may ask again. */
  readonly carried: number;
  readonly kind: ApprovalKind;
  readonly state: ApprovalState;
  readonly tool: string;
  readonly input: string;
  readonly reason: string;
  readonly rule: string | null;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly decided_ms: number | null;
  readonly decided_by: string | null;
  /** The answer, or why it was decided so. */
  readonly text: string | null;
  /** Of a budget, what was granted, as `grantedText` says it. */
  readonly granted: string | null;
};

const columns = [
  'id',
  'task',
  'ask',
  'epoch',
  'carried',
  'kind',
  'state',
  'tool',
  'input',
  'reason',
  'rule',
  'created_ms',
  'expires_ms',
  'decided_ms',
  'decided_by',
  'text',
  'granted',
] as const satisfies readonly (keyof ApprovalRow)[];

const upsert = `INSERT INTO approval (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
ON CONFLICT (id) DO UPDATE SET ${columns
  .slice(1)
  .map(name => `${name} = excluded.${name}`)
  .join(', ')}`;

export function saveApproval(sql: Sql, row: ApprovalRow): void {
  sql.run(upsert, ...columns.map(name => row[name]));
}

export function approvalById(sql: Sql, id: string): ApprovalRow | undefined {
  return sql.all<ApprovalRow>('SELECT * FROM approval WHERE id = ?', id)[0];
}

export function approvalOfAsk(sql: Sql, task: string, ask: string): ApprovalRow | undefined {
  return sql.all<ApprovalRow>('SELECT * FROM approval WHERE task = ? AND ask = ?', task, ask)[0];
}

export function openApprovalsOf(sql: Sql, task: string): readonly ApprovalRow[] {
  return sql.all<ApprovalRow>("SELECT * FROM approval WHERE task = ? AND state = 'open'", task);
}

/** What was decided while an attempt of the task waited for it, and no later attempt has asked about. */
export function carriedDecisions(sql: Sql, task: string): readonly ApprovalRow[] {
  return sql.all<ApprovalRow>("SELECT * FROM approval WHERE task = ? AND carried = 1 AND state <> 'open'", task);
}

export function dueApprovals(sql: Sql, nowMs: number, rowsMax: number): readonly ApprovalRow[] {
  return sql.all<ApprovalRow>(
    "SELECT * FROM approval WHERE state = 'open' AND expires_ms <= ? ORDER BY expires_ms LIMIT ?",
    nowMs,
    rowsMax,
  );
}

/** When the first open one expires; `Infinity` where none is open. */
export function firstExpiryMs(sql: Sql): number {
  const [row] = sql.all<{due: number | null}>("SELECT min(expires_ms) AS due FROM approval WHERE state = 'open'");
  return row?.due ?? Infinity;
}

export function tasksThatAsk(sql: Sql): readonly TaskId[] {
  return sql
    .all<{task: TaskId}>("SELECT DISTINCT task FROM approval WHERE state = 'open' AND task IS NOT NULL")
    .map(({task}) => task);
}

export function newestBudgetAsk(sql: Sql, ask: string): ApprovalRow | undefined {
  return sql.all<ApprovalRow>(
    "SELECT * FROM approval WHERE kind = 'budget' AND ask = ? ORDER BY id DESC LIMIT 1",
    ask,
  )[0];
}

/** Newest first. */
export function pageOfApprovals(
  sql: Sql,
  {limit, cursor, state, task}: ApprovalPage,
): {readonly approvals: readonly ApprovalView[]; readonly next: string | null} {
  const rows = sql.all<ApprovalRow>(
    `SELECT * FROM approval WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR task = ?3)
     ORDER BY id DESC LIMIT ?4`,
    cursor ?? null,
    state ?? null,
    task ?? null,
    limit,
  );
  return {approvals: rows.map(approvalView), next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null};
}

export function approvalView(approval: ApprovalRow): ApprovalView {
  const {ask, carried: _carried, input, ...row} = approval;
  const json = parseJson(input);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what parseJson answers is JSON
  const asked = (json === undefined ? input : json) as ApprovalView['input'];
  return {...row, tool_call: ask, input: asked, granted: grantedView(approval)};
}
