import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {leaseConfigSchema, type LeaseConfig} from '@switchyard/shared/protocol/down.ts';

const defaults: LeaseConfig = {
  ttl_ms: limits.leaseTtlMs,
  renew_ms: limits.renewMs,
  grace_ms: limits.graceMs,
  offer_ms: limits.offerMs,
  soft_stop_ms: limits.softStopMs,
  hard_kill_ms: limits.hardKillMs,
};

/** A day: whoever holds a task for longer without a word has lost it. A patient lease is longer by its factor. */
const ttlMsMax = 86_400_000;

/**
 * The times that runners are told: the limits, or what `SWITCHYARD_LEASE` puts in their place. A patient runner gets a
 * longer lease, renewed as often relative to it. Throws `configuration_invalid`, which never shows the value.
 */
export function leaseConfig(
  {SWITCHYARD_LEASE: setting}: {readonly SWITCHYARD_LEASE?: string | undefined},
  leaseClass: 'standard' | 'patient',
): LeaseConfig {
  const parsed = leaseConfigSchema.partial().safeParse(setting === undefined ? {} : parseJson(setting));
  if (!parsed.success) throw invalid(parsed.error.issues[0]?.message ?? 'invalid');
  const given = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
  const standard = leaseConfigSchema.parse({...defaults, ...given});
  const fault = faultOf(standard);
  if (fault !== undefined) throw invalid(fault);
  if (leaseClass === 'standard') return standard;
  const factor = limits.patientLeaseTtlMs / limits.leaseTtlMs;
  return {...standard, ttl_ms: standard.ttl_ms * factor, renew_ms: standard.renew_ms * factor};
}

/**
 * Why no fleet may run by these times. The first is what keeps two agents apart: the server gives a task to another only
 * when the kill, which begins at the hard deadline of the runner, is over.
 */
function faultOf({ttl_ms, renew_ms, grace_ms, soft_stop_ms, hard_kill_ms}: LeaseConfig): string | undefined {
  if (grace_ms + hard_kill_ms < limits.killMs)
    return `grace_ms and hard_kill_ms must be ${limits.killMs} together, since a kill takes that long`;
  if (hard_kill_ms > soft_stop_ms) return 'hard_kill_ms must not be greater than soft_stop_ms';
  if (ttl_ms > ttlMsMax) return `ttl_ms must be at most ${ttlMsMax}`;
  if (ttl_ms <= renew_ms + soft_stop_ms) return 'ttl_ms must be greater than renew_ms and soft_stop_ms together';
  return undefined;
}

function invalid(why: string): SwitchyardError {
  return new SwitchyardError('configuration_invalid', `SWITCHYARD_LEASE: ${why}`);
}
