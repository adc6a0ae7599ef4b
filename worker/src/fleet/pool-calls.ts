import type {PoolSettings, PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import type {QueueView} from '@switchyard/shared/api/queue-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Batch} from './batch.ts';
import {saveCredential, type CredentialRecord} from './credential-row.ts';
import type {Caller, CredentialRow, NewCredential, Outcome, SettingsChange} from './fleet-rpc.ts';
import {actorOf} from './permission.ts';
import {queueViews} from './queue-views.ts';
import {reading, writing, type Service} from './service.ts';
import {poolView} from './views.ts';

/** The operations on the pool itself and on its credentials, as the Worker calls them. */

export function getPool(service: Service, caller: Caller): Promise<Outcome<PoolView>> {
  return reading(service, {caller, scope: 'read'}, poolView);
}

export function listQueues(
  service: Service,
  caller: Caller,
): Promise<Outcome<{readonly queues: readonly QueueView[]}>> {
  return reading(service, {caller, scope: 'read'}, sight => ({queues: queueViews(sight)}));
}

export function changePool(service: Service, caller: Caller, change: SettingsChange): Promise<Outcome<PoolView>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const {settings} = batch.memory;
    const next: PoolSettings = {
      paused: change.paused ?? settings.paused,
      draining: change.draining ?? settings.draining,
      stop_on_failure: change.stop_on_failure ?? settings.stop_on_failure,
      latched: change.latched ?? settings.latched,
      max_concurrent: change.max_concurrent === undefined ? settings.max_concurrent : change.max_concurrent,
    };
    batch.changeSettings(next);
    batch.audit({
      actor: actorOf(caller),
      action: 'pool.change',
      target: batch.context.pool,
      detail: JSON.stringify(change),
    });
    return () => poolView(service.core.sight());
  });
}

/**
 * Stops offers for the whole pool until somebody sets `draining: false`, and tells runners that a restart is coming.
 *
 * The secret of the dispatchers is a setting of the installation, made by whoever runs it, and opens no pool but its
 * own: it may do this one deed of an admin. Keys that were registered over the API may not.
 */
export function shutdown(service: Service, caller: Caller): Promise<Outcome<PoolView>> {
  const scope = caller.kind === 'dispatch' ? 'write' : 'admin';
  return writing(service, {caller, scope}, batch => {
    batch.changeSettings({...batch.memory.settings, draining: true});
    for (const runner of batch.memory.runners.keys()) batch.send(runner, {t: 'server_drain', after_ms: 0});
    batch.audit({actor: actorOf(caller), action: 'pool.shutdown', target: batch.context.pool, detail: ''});
    return () => poolView(service.core.sight());
  });
}

export function listCredentials(
  service: Service,
  caller: Caller,
): Promise<Outcome<{readonly credentials: readonly CredentialRow[]}>> {
  return reading(service, {caller, scope: 'admin'}, ({memory}) => ({
    credentials: [...memory.credentials.values()]
      .filter(({revoked_ms}) => revoked_ms === null)
      .map(({id, name, kind, scope, created_ms}) => ({id, name, kind, scope, created_ms})),
  }));
}

export function createCredential(service: Service, caller: Caller, wanted: NewCredential): Promise<Outcome<null>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    if (batch.memory.credentials.has(wanted.id))
      throw new SwitchyardError('idempotency_conflict', `there is a credential ${wanted.id} already`);
    const {id, name, kind, scope, hash} = wanted;
    keep(batch, {id, name, kind, scope, hash, created_ms: batch.nowMs, revoked_ms: null});
    batch.audit({actor: actorOf(caller), action: 'credential.create', target: id, detail: `${kind} ${scope} ${name}`});
    return () => null;
  });
}

export function revokeCredential(
  service: Service,
  caller: Caller,
  id: string,
): Promise<Outcome<{readonly id: string}>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const record = batch.memory.credentials.get(id);
    if (record === undefined) throw new SwitchyardError('not_found', `there is no credential ${id}`);
    if (record.revoked_ms === null) {
      keep(batch, {...record, revoked_ms: batch.nowMs});
      batch.audit({actor: actorOf(caller), action: 'credential.revoke', target: id, detail: record.name});
    }
    return () => ({id});
  });
}

function keep(batch: Batch, record: CredentialRecord): void {
  const {memory, context} = batch;
  saveCredential(context.sql, record);
  memory.credentials.set(record.id, record);
  const {id, name, kind, scope, hash, created_ms, revoked_ms} = record;
  batch.emit({
    kind: 'directory.credential',
    at_ms: batch.nowMs,
    pool: context.pool,
    id,
    name,
    credential_kind: kind,
    scope,
    hash,
    created_ms,
    revoked_ms,
  });
}
