import {mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {AuditLog, type AuditEntry} from '../../../../runner/src/agent/proxy/audit-log.ts';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {until} from '../../../fixtures/until.ts';
import {ask, grant, place, REAL_KEY, secret} from './proxy-place.ts';

const entry: AuditEntry = {
  ...{task: 'tsk_1', epoch: 1, provider: 'anthropic', model: 'm', method: 'POST', path: '/anthropic/v1/messages'},
  ...{status: 200, allowed: true, reason: null, durationMs: 1, usage: null, costMicros: null},
};

async function log() {
  const folder = await mkdtemp(join(tmpdir(), 'audit-'));
  onTestFinished(async () => rm(folder, {recursive: true}));
  const path = join(folder, 'audit.ndjson');
  const errors: unknown[] = [];
  return {
    path,
    errors,
    audit: new AuditLog(
      path,
      () => '2026-11-20T12:00:00.000Z',
      error => errors.push(error),
    ),
  };
}

test('[MP26] each request is a line of JSON, in order, in a file that only its owner can read', async () => {
  const {path, audit, errors} = await log();
  for (let epoch = 1; epoch <= 50; epoch += 1) audit.add({...entry, epoch});
  await audit.close();
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.map(line => (JSON.parse(line) as AuditEntry).epoch)).toEqual(lines.map((_, index) => index + 1));
  expect([lines.length, errors, (await stat(path)).mode & 0o077]).toEqual([50, [], 0]);
});

test('[MP26] a full file makes room for the next one, and only one older is kept', async () => {
  const {path, audit, errors} = await log();
  await writeFile(`${path}.1`, 'the one before');
  await writeFile(path, 'full');
  await truncate(path, limits.modelAuditBytesMax);
  audit.add(entry);
  audit.add({...entry, epoch: 2});
  await audit.close();
  expect((await stat(`${path}.1`)).size).toBe(limits.modelAuditBytesMax);
  expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(2);
  expect(errors).toEqual([]);
});

test('[MP26] a disk that takes no line costs the line, and no request', async () => {
  const {path, audit, errors} = await log();
  await rm(join(path, '..'), {recursive: true});
  audit.add(entry);
  await audit.close();
  expect(errors).toHaveLength(1);
  await mkdir(join(path, '..'));
  audit.add(entry);
  await audit.close();
  expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(2);
});

test('[MP26] no line holds a key, a token, a query, a header or a body, wherever an agent put them', async () => {
  const token = grantToken(secret, grant);
  const at = await place();
  const headers = {'x-secret': 'CANARY', cookie: 'CANARY'};
  for (const path of [
    `/anthropic/v1/messages?key=${token}&q=CANARY`,
    `/anthropic/v1/models/${token}`,
    `/${token}/v1/messages`,
    `/google/v1beta/models/m:generateContent?key=${REAL_KEY}`,
    `/anthropic/v1/messages#${token}`,
  ])
    await ask(at, {path, headers});
  await ask(at, {token: 'CANARY'});
  await until('each is in the audit', () => at.audit.length === 6);
  const lines = JSON.stringify(at.audit);
  for (const hidden of [token, 'CANARY', REAL_KEY, 'max_tokens']) expect(lines).not.toContain(hidden);
});
