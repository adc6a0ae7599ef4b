import type * as z from 'zod';
import {getHealth, type healthSchema} from '@switchyard/shared/api/pool-contracts.ts';
import type {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, type Pool} from '@switchyard/shared/domain/id.ts';
import {withDeadline} from '../http/deadline.ts';
import type {Installation} from '../http/installation.ts';
import {mountOpen, type Api} from '../http/mount.ts';
import {productVersion} from '../version.ts';

type Health = z.output<typeof healthSchema>;
type Check = Health['checks'][string];

const CHECK_MS = 3_000;
/** Asked when the installation names no pool of its own: an object that answers stands for all. */
const probedPool = poolSchema.parse('default');

export function mountHealth(api: Api): void {
  const {installation} = api;
  mountOpen(api, getHealth)(async () => healthOf(installation, installation.dispatch?.pool ?? probedPool));
}

/** Tries each part; the Fleet is that of the pool. */
export async function healthOf(
  installation: Installation,
  pool: Pool,
): Promise<{readonly status: 200; readonly body: Health} | {readonly status: 503; readonly body: Health}> {
  const [directory, fleet] = await Promise.all([
    check('directory', installation, async () => installation.database.prepare('SELECT 1').first()),
    check('fleet', installation, async () => installation.fleet(pool).probe()),
  ]);
  const isWhole = directory.ok && fleet.ok;
  const checks = {configuration: {ok: true, detail: 'valid', ms: 0}, directory, fleet};
  const status = isWhole ? 'ok' : 'degraded';
  const body = {status, version: productVersion, time_ms: installation.platform.nowMs(), checks} as const;
  return isWhole ? {status: 200, body} : {status: 503, body};
}

/** Health is for everybody: why a part failed is told to the operator only. */
async function check(what: string, {platform}: Installation, attempt: () => Promise<unknown>): Promise<Check> {
  const startedMs = platform.nowMs();
  try {
    await withDeadline(attempt(), {what, ms: CHECK_MS});
    return {ok: true, detail: 'answers', ms: platform.nowMs() - startedMs};
  } catch (error) {
    platform.report({request: `health ${what}`, error});
    return {ok: false, detail: 'does not answer', ms: platform.nowMs() - startedMs};
  }
}

/** The answer of an installation whose configuration is refused: the error names the setting, never its value. */
export function degradedHealth({detail}: SwitchyardError, nowMs: number): Response {
  const health: Health = {
    status: 'degraded',
    version: productVersion,
    time_ms: nowMs,
    checks: {configuration: {ok: false, detail: `configuration_invalid: ${detail}`, ms: 0}},
  };
  return Response.json(health, {status: 503});
}
