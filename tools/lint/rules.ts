import {disableHasReason} from './disable-has-reason.ts';
import {noInterpolatedCommand} from './no-interpolated-command.ts';
import {noRawRecursiveRm} from './no-raw-recursive-rm.ts';
import type {Rule} from './rule.ts';
import {zodByStar} from './zod-by-star.ts';

const rules: Readonly<Record<string, Rule>> = {
  'disable-has-reason': disableHasReason,
  'no-interpolated-command': noInterpolatedCommand,
  'no-raw-recursive-rm': noRawRecursiveRm,
  'zod-by-star': zodByStar,
};

/** The plugin that .oxlintrc.json loads by path; oxlint wants it as the default export. */
export default {meta: {name: 'switchyard'}, rules};
