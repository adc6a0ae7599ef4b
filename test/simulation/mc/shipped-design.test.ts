import {readFileSync} from 'node:fs';
import * as fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {leaseConfig} from '../../../worker/src/lease-config.ts';
import {variants} from './lease-designs.ts';
import {safetyMarginMs} from './safety-margin.ts';
import {shippedDesign} from './shipped-design.ts';

const classes = ['standard', 'patient'] as const;

describe('what ships', () => {
  test('[MC14] is of the design that the model proves, part by part, as its own decisions show', () => {
    expect(shippedDesign()).toEqual(variants.find(({name}) => name === 'V7')?.design);
  });

  test.for(classes)(
    '[MC15] gives no task of a %s lease away before the kill is over, however late a message',
    leaseClass => {
      const lease = leaseConfig({}, leaseClass);
      const delayMs = fc.oneof(
        fc.nat({max: 2 * lease.ttl_ms}),
        fc.constantFrom(0, 1, lease.ttl_ms - lease.hard_kill_ms),
      );
      fc.assert(
        fc.property(delayMs, delayMs, (acceptMs, goMs) => {
          // A later accept leaves more room. A later go leaves as much, since it moves no deadline.
          expect(safetyMarginMs(lease, {acceptMs, goMs})).toBeGreaterThanOrEqual(Math.min(acceptMs, lease.grace_ms));
        }),
      );
      expect(safetyMarginMs(lease)).toBe(lease.grace_ms + lease.hard_kill_ms - limits.killMs);
    },
  );

  test('[MC15] counts with a kill that the dead man begins within a second and that is over within another', () => {
    const shim = readFileSync(new URL('../../../runner/src/executor/shim.sh', import.meta.url), 'utf8');
    const deadMan = /^dead_man\(\) \{[^]*?^\}/m.exec(shim)?.[0] ?? '';
    expect([...deadMan.matchAll(/sleep (\S+)/g)].map(([, seconds]) => seconds)).toEqual(['1']);
    expect(limits.killMs).toBeGreaterThanOrEqual(2_000);
  });

  const setting = (change: object): {readonly SWITCHYARD_LEASE: string} => ({SWITCHYARD_LEASE: JSON.stringify(change)});

  test.for<{change: object; why: string}>([
    {
      change: {grace_ms: limits.killMs - limits.hardKillMs + 1, hard_kill_ms: limits.hardKillMs - 2},
      why: 'grace_ms and hard_kill_ms',
    },
    {change: {grace_ms: 1, hard_kill_ms: 0}, why: 'grace_ms and hard_kill_ms'},
    {change: {hard_kill_ms: limits.softStopMs + 1}, why: 'hard_kill_ms must not be greater than soft_stop_ms'},
    {
      change: {ttl_ms: limits.renewMs + limits.softStopMs},
      why: 'ttl_ms must be greater than renew_ms and soft_stop_ms',
    },
  ])('[MC16] the setting $change is refused', ({change, why}) => {
    for (const leaseClass of classes)
      expect(() => leaseConfig(setting(change), leaseClass)).toThrow(
        expect.objectContaining({code: 'configuration_invalid', message: expect.stringContaining(why)}),
      );
  });

  test('[MC16] a setting at the edge of the law is taken, and leaves no time between two agents but none too little', () => {
    const edge = {grace_ms: 1_000, hard_kill_ms: limits.killMs - 1_000};
    const shortest = {ttl_ms: limits.renewMs + limits.softStopMs + 1};
    for (const leaseClass of classes) {
      expect(safetyMarginMs(leaseConfig(setting(edge), leaseClass))).toBe(0);
      expect(leaseConfig(setting(shortest), leaseClass)).toMatchObject({grace_ms: limits.graceMs});
    }
  });
});
