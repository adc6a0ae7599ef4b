import {check} from './checker.ts';
import {variants, variantsWithout, type Variant} from './lease-designs.ts';
import {leaseModel} from './lease-model.ts';
import type {Bounds} from './lease-state.ts';
import type {Tables} from './model-page.ts';
import type {Finding} from './model-report.ts';

/** Three messages and three epochs of V7 have fewer; a model that grows beyond is no longer looked at as a whole. */
const statesMax = 10_000_000;

/** Looks at every state of a variant. */
export function inspect(variant: Variant, bounds: Bounds): Finding {
  return {variant, verdict: check(leaseModel(variant, bounds), {statesMax}), isPartial: false};
}

/** Looks for the nearest breach only. */
export function inspectBriefly(variant: Variant, bounds: Bounds): Finding {
  const verdict = check(leaseModel(variant, bounds), {statesMax, stopsAtBreach: true});
  return {variant, verdict, isPartial: verdict.broken.length > 0};
}

export function inspectAll(bounds: Bounds): Tables {
  return {
    variants: variants.map(variant => inspect(variant, bounds)),
    without: variantsWithout.map(variant => inspectBriefly(variant, bounds)),
  };
}
