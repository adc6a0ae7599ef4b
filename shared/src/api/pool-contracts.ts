import * as z from 'zod';
import {contract, scopes} from './contract.ts';

export const poolSettingsSchema = z
  .object({
    /** Stops offers, not what runs. */
    paused: z.boolean(),
    /** A shutdown was asked for: no offers, and what embeds the pool ends once nothing runs. */
    draining: z.boolean(),
    /** Pauses the pool when a task fails for good; `latched` says that it has. */
    stop_on_failure: z.boolean(),
    latched: z.boolean(),
    /** Most attempts of the pool at once; null is as many as the runners hold. */
    max_concurrent: z.int().positive().nullable(),
  })
  .meta({id: 'PoolSettings'});
export type PoolSettings = z.output<typeof poolSettingsSchema>;

export const poolViewSchema = z
  .object({
    pool: z.string(),
    settings: poolSettingsSchema,
    /** Tasks by state, only those that have not ended. */
    counts: z.object({pending: z.int(), queued: z.int(), offered: z.int(), leased: z.int(), cancelling: z.int()}),
    runners: z.object({connected: z.int(), total: z.int()}),
    slots: z.object({total: z.int(), held: z.int()}),
  })
  .meta({id: 'Pool'});
export type PoolView = z.output<typeof poolViewSchema>;

export const getPool = contract({
  id: 'getPool',
  method: 'get',
  path: '/v1/pool',
  summary: 'The pool of the token: settings, counts and capacity.',
  auth: 'read',
  responses: {200: poolViewSchema},
});

export const changePool = contract({
  id: 'changePool',
  method: 'patch',
  path: '/v1/pool',
  summary:
    'Change settings of the pool. `latched: false` lets a pool go on that a failure stopped, `draining: false` one that was shut down.',
  auth: 'admin',
  body: z.strictObject({
    paused: z.boolean().optional(),
    stop_on_failure: z.boolean().optional(),
    latched: z.literal(false).optional(),
    draining: z.literal(false).optional(),
    max_concurrent: z.int().positive().max(10_000).nullable().optional(),
  }),
  responses: {200: poolViewSchema},
});

const credentialView = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['token', 'hmac', 'ed25519']),
  scope: z.enum(scopes),
  created_ms: z.int(),
});

export const listCredentials = contract({
  id: 'listCredentials',
  method: 'get',
  path: '/v1/credentials',
  summary: 'List API tokens and signing keys; never their secrets.',
  auth: 'admin',
  responses: {200: z.object({credentials: z.array(credentialView)})},
});

export const createCredential = contract({
  id: 'createCredential',
  method: 'post',
  path: '/v1/credentials',
  summary: 'Make an API token, or register a signing key. The secret is shown once.',
  auth: 'admin',
  body: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('token'),
      name: z.string().min(1).max(100),
      scope: z.enum(scopes).default('write'),
    }),
    z.strictObject({kind: z.literal('hmac'), name: z.string().min(1).max(100)}),
    z.strictObject({
      kind: z.literal('ed25519'),
      name: z.string().min(1).max(100),
      public_key_hex: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ]),
  responses: {
    201: z.object({
      id: z.string(),
      /** The token, or the key id that a signed request names in `webhook-key-id`. */
      credential: z.string(),
      /** The shared secret of an HMAC key. */
      secret: z.string().nullable(),
    }),
  },
});

export const revokeCredential = contract({
  id: 'revokeCredential',
  method: 'delete',
  path: '/v1/credentials/:id',
  summary: 'Revoke a token or a signing key at once.',
  auth: 'admin',
  params: z.strictObject({id: z.string().regex(/^[0-9a-z]{8,32}$/)}),
  responses: {200: z.object({id: z.string()})},
});

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'degraded']),
    version: z.string(),
    time_ms: z.int(),
    checks: z.record(z.string(), z.object({ok: z.boolean(), detail: z.string(), ms: z.number()})),
  })
  .meta({id: 'Health'});

export const getHealth = contract({
  id: 'getHealth',
  method: 'get',
  path: '/v1/health',
  summary: 'Whether the control plane works: each part is tried.',
  auth: 'none',
  responses: {200: healthSchema, 503: healthSchema},
});

export const createPool = contract({
  id: 'createPool',
  method: 'post',
  path: '/v1/pools',
  summary:
    'Make a pool of a team with its first admin token. Needs the root token of the installation; calling it again makes a new token.',
  auth: 'none',
  body: z.strictObject({
    team: z.string().regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/),
    pool: z.string().regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/),
    token_name: z.string().min(1).max(100).default('admin'),
  }),
  responses: {201: z.object({team: z.string(), pool: z.string(), token: z.string()})},
});
