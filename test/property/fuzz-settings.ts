/**
 * How much a property is tried. `npm test` makes the same few runs every time, so that it is quick and never fails by
 * chance; `npm run fuzz` gives every property a time and a new seed. fast-check prints the seed and the path of a failure.
 */
const fuzzMs = Number(process.env['SWITCHYARD_FUZZ_SECONDS'] ?? 0) * 1_000;

const fixedSeed = 20_261_120;

/** For a property that states no settings, or only how many runs it makes. */
export const everyProperty =
  fuzzMs === 0 ? {seed: fixedSeed} : {interruptAfterTimeLimit: fuzzMs, markInterruptAsFailure: false};

/** Settings of `fc.assert` for a property that makes `runs` runs in the ordinary suite. */
export function tries(runs: number) {
  return fuzzMs === 0
    ? {seed: fixedSeed, numRuns: runs}
    : {numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: fuzzMs, markInterruptAsFailure: false};
}
