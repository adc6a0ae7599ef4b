import type {Scope} from '@switchyard/shared/api/contract.ts';
import type {Sql} from './sql.ts';

export type CredentialRecord = {
  readonly id: string;
  readonly name: string;
  readonly kind: 'token' | 'hmac' | 'ed25519';
  readonly scope: Scope;
  /** SHA-256 of a token, hex; null for signers. */
  readonly hash: string | null;
  readonly created_ms: number;
  readonly revoked_ms: number | null;
};

export function loadCredentials(sql: Sql): Map<string, CredentialRecord> {
  return new Map(sql.all<CredentialRecord>('SELECT * FROM credential').map(record => [record.id, record]));
}

export function saveCredential(sql: Sql, it: CredentialRecord): void {
  sql.run(
    `INSERT INTO credential (id, name, kind, scope, hash, created_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET revoked_ms = excluded.revoked_ms`,
    it.id,
    it.name,
    it.kind,
    it.scope,
    it.hash,
    it.created_ms,
    it.revoked_ms,
  );
}
