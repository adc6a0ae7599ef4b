import type {RunnerView} from '@switchyard/shared/api/runner-contracts.ts';
import {equalConstantTime, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {taskIdSchema, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Batch} from './batch.ts';
import {applyCharters} from './charter-budgets.ts';
import type {Caller, Enrolment, Outcome} from './fleet-rpc.ts';
import {actorOf} from './permission.ts';
import {rotateKey} from './runner-keys.ts';
import type {RunnerRow} from './runner-row.ts';
import {outcomeOf, reading, writing, type Service} from './service.ts';
import {one} from './sql.ts';
import {runnerView} from './views.ts';

/** The operations on runners, as the Worker calls them. */

export function listRunners(
  service: Service,
  caller: Caller,
): Promise<Outcome<{readonly runners: readonly RunnerView[]}>> {
  return reading(service, {caller, scope: 'read'}, sight => ({
    runners: [...sight.memory.runners.values()].map(runner => runnerView(sight, runner)),
  }));
}

type EnrolmentToken = {
  readonly id: string;
  readonly hash: string;
  readonly labels: readonly string[];
  readonly expiresAtMs: number;
};

export function createEnrolment(service: Service, caller: Caller, token: EnrolmentToken): Promise<Outcome<null>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    requireRoomForEnrolment(batch);
    batch.context.sql.run(
      'INSERT INTO enrolment (id, hash, labels, expires_ms, used_by) VALUES (?, ?, ?, ?, NULL)',
      token.id,
      token.hash,
      JSON.stringify(token.labels),
      token.expiresAtMs,
    );
    batch.audit({actor: actorOf(caller), action: 'enrolment.create', target: token.id, detail: token.labels.join(' ')});
    return () => null;
  });
}

/** Whoever makes tokens in a loop must not fill the pool; each is over after ten minutes by itself. */
function requireRoomForEnrolment({context, nowMs}: Batch): void {
  const {open, first} = one(
    context.sql.all<{open: number; first: number | null}>(
      'SELECT count(*) AS open, min(expires_ms) AS first FROM enrolment WHERE used_by IS NULL AND expires_ms > ?',
      nowMs,
    ),
  );
  if (open < limits.enrolmentsOpenMax) return;
  const retryAfterMs = Math.max(1_000, (first ?? nowMs) - nowMs);
  throw new SwitchyardError('rate_limited', `${open} enrolment tokens are open already`, {retryAfterMs});
}

/** Spends the token: a second use is `enrolment_invalid`, also when both come at once. */
export function enrol(
  {commit}: Service,
  token: {readonly id: string; readonly hash: string},
  enrolment: Enrolment,
): Promise<Outcome<null>> {
  return outcomeOf(async () =>
    commit.run(batch => {
      const {sql} = batch.context;
      const [row] = sql.all<{hash: string; labels: string; expires_ms: number; used_by: string | null}>(
        'SELECT hash, labels, expires_ms, used_by FROM enrolment WHERE id = ?',
        token.id,
      );
      const isGood =
        row !== undefined &&
        row.used_by === null &&
        batch.nowMs < row.expires_ms &&
        equalConstantTime(utf8(row.hash), utf8(token.hash));
      if (!isGood) throw new SwitchyardError('enrolment_invalid', 'the enrolment token was used, is over or never was');
      sql.run('UPDATE enrolment SET used_by = ? WHERE id = ?', enrolment.runner, token.id);
      addRunner(batch, enrolment, row.labels);
      batch.audit({
        actor: `enrolment:${token.id}`,
        action: 'runner.enrol',
        target: enrolment.runner,
        detail: enrolment.name,
      });
      return () => null;
    }),
  );
}

function addRunner(batch: Batch, {runner, name, labels, jwk}: Enrolment, enrolledLabels: string): void {
  const row: RunnerRow = {
    id: runner,
    name,
    x: jwk.x,
    previous_x: null,
    previous_until_ms: null,
    protocol: 0,
    enrolled_labels: enrolledLabels,
    labels: JSON.stringify(labels),
    slots: '{}',
    lease_class: 'standard',
    version: null,
    boot_id: null,
    connection: null,
    transport: null,
    draining: 0,
    revoked_ms: null,
    enrolled_ms: batch.nowMs,
    seen_ms: null,
  };
  batch.changeRunner(row);
  tellDirectory(batch, row);
}

/** In the name of the runner itself: whoever has its current key may replace it. */
export function replaceKey(
  {commit}: Service,
  {runner: id, ...keys}: {readonly runner: RunnerId; readonly oldX: string; readonly newX: string},
): Promise<Outcome<{readonly oldUntilMs: number}>> {
  return outcomeOf(async () =>
    commit.run(batch => {
      const row = batch.runner(id)?.row;
      if (row === undefined) throw new SwitchyardError('unauthorized', `there is no runner ${id}`);
      const next = rotateKey(batch, row, keys);
      if (next !== row) {
        batch.audit({actor: `runner:${id}`, action: 'runner.rotate_key', target: id, detail: row.name});
        tellDirectory(batch, next);
      }
      return () => ({oldUntilMs: next.previous_until_ms ?? batch.nowMs});
    }),
  );
}

export function setRunner(
  service: Service,
  caller: Caller,
  {runner: id, to}: {readonly runner: RunnerId; readonly to: 'drain' | 'resume' | 'revoke'},
): Promise<Outcome<RunnerView>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const runner = batch.runner(id);
    if (runner === undefined) throw new SwitchyardError('not_found', `there is no runner ${id}`);
    if (runner.row.revoked_ms !== null && to !== 'revoke')
      throw new SwitchyardError('runner_revoked', `runner ${id} was revoked`);
    if (to === 'revoke') revoke(batch, runner.row);
    else setDraining(batch, runner.row, to === 'drain');
    batch.audit({actor: actorOf(caller), action: `runner.${to}`, target: id, detail: runner.row.name});
    const changed = batch.runner(id) ?? runner;
    return () => runnerView(service.core.sight(), changed);
  });
}

function setDraining(batch: Batch, row: RunnerRow, isDraining: boolean): void {
  const next = {...row, draining: isDraining ? 1 : 0};
  batch.changeRunner(next);
  batch.send(row.id, {t: isDraining ? 'drain' : 'resume'});
  tellDirectory(batch, next);
}

/** Nothing that it holds is taken back before its leases run out: its agents may still be alive. */
function revoke(batch: Batch, row: RunnerRow): void {
  if (row.revoked_ms !== null) return;
  for (const {id, epoch} of batch.memory.live.ofRunner(row.id)) {
    const task = taskIdSchema.parse(id);
    batch.send(row.id, {t: 'gone', task, epoch, why: 'this runner was revoked'});
    batch.emit({kind: 'log.fence', at_ms: batch.nowMs, task, epoch});
  }
  if (row.connection !== null)
    batch.close({runner: row.id, connection: row.connection, code: closeCodes.revoked, why: 'this runner was revoked'});
  const next = {...row, revoked_ms: batch.nowMs, connection: null, transport: null};
  batch.changeRunner(next);
  applyCharters(batch, row.id);
  tellDirectory(batch, next);
}

function tellDirectory(batch: Batch, row: RunnerRow): void {
  const labels = [...(batch.runner(row.id)?.labels ?? [])];
  batch.emit({
    kind: 'directory.runner',
    at_ms: batch.nowMs,
    pool: batch.context.pool,
    runner: row.id,
    name: row.name,
    labels,
    x: row.x,
    state: row.revoked_ms !== null ? 'revoked' : row.draining === 1 ? 'draining' : 'enrolled',
    enrolled_ms: row.enrolled_ms,
  });
}
