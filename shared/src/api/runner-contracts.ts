import * as z from 'zod';
import {runnerIdSchema} from '../domain/id.ts';
import {limits} from '../policy/limits.ts';
import {certificateSchema} from '../protocol/envelope.ts';
import {contract} from './contract.ts';

const params = z.strictObject({runner: runnerIdSchema});
const labels = z.array(z.string().max(100)).max(limits.labelsMax);

export const runnerViewSchema = z
  .object({
    id: runnerIdSchema,
    name: z.string(),
    /** `connected` has a session; `draining` takes no new task; `revoked` may never come back. */
    state: z.enum(['connected', 'disconnected', 'draining', 'revoked']),
    labels,
    slots: z.int(),
    held: z.int(),
    version: z.string().nullable(),
    transport: z.enum(['websocket', 'poll']).nullable(),
    enrolled_ms: z.int(),
    seen_ms: z.int().nullable(),
    metrics: z
      .object({load1: z.number(), memory_free_bytes: z.number(), disk_free_bytes: z.number(), rss_bytes: z.number()})
      .nullable(),
  })
  .meta({id: 'Runner'});
export type RunnerView = z.output<typeof runnerViewSchema>;

export const listRunners = contract({
  id: 'listRunners',
  method: 'get',
  path: '/v1/runners',
  summary: 'List the runners of the pool.',
  auth: 'read',
  responses: {200: z.object({runners: z.array(runnerViewSchema)})},
});

export const createEnrolment = contract({
  id: 'createEnrolment',
  method: 'post',
  path: '/v1/runners/enrolments',
  summary: 'Make an enrolment token: good for one runner and ten minutes. It is shown once.',
  auth: 'admin',
  body: z.strictObject({labels: labels.default([])}).prefault({}),
  responses: {201: z.object({token: z.string(), expires_ms: z.int()})},
});

/** The text that a runner signs with its new key to prove that it holds it. */
export function enrolmentProof(token: string, x: string): string {
  return `switchyard-enrol\n${token}\n${x}`;
}

export const enrolRunner = contract({
  id: 'enrolRunner',
  method: 'post',
  path: '/v1/runners/enrol',
  summary: 'Enrol this machine: the token once, the public key made here, and a proof of possession.',
  auth: 'none',
  body: z.strictObject({
    token: z.string().max(300),
    name: z.string().min(1).max(100),
    labels,
    jwk: certificateSchema.shape.jwk,
    /** Ed25519 over `enrolmentProof`, base64url. */
    proof: z.string().max(200),
  }),
  responses: {
    201: z.object({
      runner: runnerIdSchema,
      pool: z.string(),
      /** Compact JWS of a `Certificate`; sent with every connection. */
      certificate: z.string(),
      /** Public keys that sign dispatches: the runner pins them. */
      keys: z.array(certificateSchema.shape.jwk),
    }),
  },
});

/** The text that a runner signs with the key it has and with the one that is to replace it. */
export function rotationProof({runner, oldX, newX}: {runner: string; oldX: string; newX: string}): string {
  return `switchyard-rotate\n${runner}\n${oldX}\n${newX}`;
}

export const keyRotationSchema = z.strictObject({
  new_jwk: certificateSchema.shape.jwk,
  /** Ed25519 over `rotationProof` by the key of the connection, and by the new one; base64url. */
  sig_old: z.string().max(200),
  sig_new: z.string().max(200),
});

export const rotateRunnerKey = contract({
  id: 'rotateRunnerKey',
  method: 'post',
  path: '/v1/runner/rotate',
  summary: 'Replace the key of this runner. The old key is good for one more day. Safe to repeat.',
  auth: 'runner',
  body: keyRotationSchema,
  responses: {
    200: z.object({
      /** For the new key. */
      certificate: z.string(),
      old_until_ms: z.int(),
    }),
  },
});

export const drainRunner = contract({
  id: 'drainRunner',
  method: 'post',
  path: '/v1/runners/:runner/drain',
  summary: 'Offer this runner no more tasks; what it holds goes on.',
  auth: 'admin',
  params,
  responses: {200: runnerViewSchema},
});

export const resumeRunner = contract({
  id: 'resumeRunner',
  method: 'post',
  path: '/v1/runners/:runner/resume',
  summary: 'End a drain.',
  auth: 'admin',
  params,
  responses: {200: runnerViewSchema},
});

export const revokeRunner = contract({
  id: 'revokeRunner',
  method: 'post',
  path: '/v1/runners/:runner/revoke',
  summary: 'Refuse this key for ever, close its session and fence what it holds.',
  auth: 'admin',
  params,
  responses: {200: runnerViewSchema},
});
