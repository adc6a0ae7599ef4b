import {createHmac, timingSafeEqual} from 'node:crypto';

/** Who may use the proxy: one attempt. */
export type Grant = {readonly task: string; readonly epoch: number};

const shape = /^swa\.(?<task>[A-Za-z0-9_-]{1,64})\.(?<epoch>[1-9]\d{0,14})\.(?<mac>[A-Za-z0-9_-]{43})$/;

/** What a token is good for: a model, or our tools; never both. */
type Use = 'model' | 'tools';
const purposes = {model: 'switchyard-model-access', tools: 'switchyard-tool-access'} as const;

const macOf = (secret: Uint8Array, {task, epoch}: Grant, use: Use): Buffer =>
  createHmac('sha256', secret).update(`${purposes[use]}\n${task}\n${epoch}`).digest();

/**
 * The bearer of an attempt: the MAC of its name, so that a runner that starts over knows the tokens of the agents that
 * lived on without having stored one. Worth something only while the attempt holds its lease.
 */
export function grantToken(secret: Uint8Array, grant: Grant, use: Use = 'model'): string {
  return `swa.${grant.task}.${grant.epoch}.${macOf(secret, grant, use).toString('base64url')}`;
}

/** In constant time; undefined for anything else than a token of this runner. */
export function readGrantToken(secret: Uint8Array, token: string, use: Use = 'model'): Grant | undefined {
  const {task, epoch, mac} = shape.exec(token)?.groups ?? {};
  if (task === undefined || epoch === undefined || mac === undefined) return undefined;
  const grant = {task, epoch: Number(epoch)};
  const given = Buffer.from(mac, 'base64url');
  const expected = macOf(secret, grant, use);
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected) ? grant : undefined;
}

/** A text without what looks like a token. */
export const withoutTokens = (text: string): string => text.replaceAll(/swa\.[A-Za-z0-9_.-]+/g, 'swa.…');
