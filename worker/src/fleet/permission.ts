import {scopes, type Scope} from '@switchyard/shared/api/contract.ts';
import {equalConstantTime, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Caller, Nonce} from './fleet-rpc.ts';
import type {Memory} from './memory.ts';
import type {Sql} from './sql.ts';

/**
 * Whether this caller may do what needs `scope`. The Worker proved that the credential was made by us; here it is
 * settled whether it still stands. Throws `unauthorized` or `forbidden`.
 */
export function permit({credentials}: Pick<Memory, 'credentials'>, caller: Caller, scope: Scope): void {
  const granted = grantedScope(credentials, caller);
  if (granted === undefined) throw new SwitchyardError('unauthorized', 'the credential was revoked or never existed');
  if (scopes.indexOf(granted) < scopes.indexOf(scope))
    throw new SwitchyardError('forbidden', `this needs the scope ${scope}, the credential has ${granted}`);
}

function grantedScope(credentials: Memory['credentials'], caller: Caller): Scope | undefined {
  switch (caller.kind) {
    case 'root':
      return 'admin';
    case 'dispatch':
      return 'write';
    case 'signer': {
      const record = credentials.get(caller.id);
      return record !== undefined && record.kind !== 'token' && record.revoked_ms === null ? record.scope : undefined;
    }
    case 'token': {
      const record = credentials.get(caller.id);
      const stands = record?.kind === 'token' && record.revoked_ms === null && record.hash !== null;
      return stands && equalConstantTime(utf8(record.hash ?? ''), utf8(caller.hash)) ? record.scope : undefined;
    }
  }
}

/** Undefined for callers that do not sign each request. */
export function nonceOf(caller: Caller): Nonce | undefined {
  return caller.kind === 'signer' || caller.kind === 'dispatch' ? caller.nonce : undefined;
}

/** Remembers the nonce of a signed request in the transaction of its work. Throws `replayed_signature`. */
export function spendNonce(sql: Sql, caller: Caller): void {
  const nonce = nonceOf(caller);
  if (nonce === undefined) return;
  if (sql.all('SELECT value FROM nonce WHERE value = ?', nonce.value).length > 0)
    throw new SwitchyardError('replayed_signature', 'this signed request was taken before');
  sql.run('INSERT INTO nonce (value, expires_ms) VALUES (?, ?)', nonce.value, nonce.expiresAtMs);
}

/** Who did it, for the audit. */
export function actorOf(caller: Caller): string {
  return 'id' in caller ? `${caller.kind}:${caller.id}` : caller.kind;
}

/** The same for people: the name that its credential was given. */
export function nameOf({credentials}: Pick<Memory, 'credentials'>, caller: Caller): string {
  return 'id' in caller ? (credentials.get(caller.id)?.name ?? caller.id) : caller.kind;
}
