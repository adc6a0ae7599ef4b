import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {targetOf} from '../architecture/layers.ts';
import {codeOf, importsOf, sources, type Source} from '../architecture/source-tree.ts';
import {everyProperty} from './fuzz-settings.ts';
import {inventory, leftOut} from './inventory.ts';
import {fuzzCommand} from './main.ts';

const product = sources(['shared/src/**/*.ts', 'worker/src/**/*.ts', 'runner/src/**/*.ts']);
const suites = sources(['test/property/*.test.ts']);

/** How code reads what it did not make: JSON, a schema, binary numbers, packed and percent-encoded text. */
const reading =
  /\bJSON\.parse\(|\bparseJson\(|(?<!\b(?:URL|Date|JSON))\.parse\(|\.safeParse\(|\bnew DataView\(|\.read(?:Big)?U?Int|\b(?:inflateRaw|gunzip|inflate)(?:Sync)?\(|\bdecodeURIComponent\(/;

const reads = (source: Source): boolean => !source.path.endsWith('.d.ts') && reading.test(codeOf(source));

function unlisted(modules: readonly Source[]): readonly string[] {
  const known = new Set(inventory.map(({module}) => module));
  return modules
    .filter(reads)
    .map(({path}) => path)
    .filter(path => !known.has(path) && !leftOut.some(each => each.modules.test(path)));
}

describe('the inventory', () => {
  test('[PB1] holds every module that reads what it did not make, or says why not', () => {
    expect(unlisted(product)).toEqual([]);
  });

  test.for([
    'export const a = (t: string) => JSON.parse(t);',
    'export const a = (s: {safeParse(v: unknown): unknown}, v: unknown) => s.safeParse(v);',
    'export const a = (s: {parse(v: unknown): unknown}, v: unknown) => s.parse(v);',
    'export const a = (b: ArrayBuffer) => new DataView(b).getUint8(0);',
    'export const a = (b: Buffer) => b.readUInt16BE(0);',
  ])('[PB1] finds %s', text => {
    expect(unlisted([{path: 'runner/src/a.ts', text}])).toEqual(['runner/src/a.ts']);
    expect(unlisted([{path: 'runner/src/a.ts', text: '// JSON.parse(text)\nexport const a = 1;'}])).toEqual([]);
  });

  test('[PB1] names modules that exist and suites that import them, each reason is used', () => {
    const importing = new Map(
      suites.map(({path, text}) => [path, new Set(importsOf(text).map(from => targetOf(path, from)))]),
    );
    const wrong = inventory.filter(({module, suite}) => importing.get(suite)?.has(module) !== true);
    expect(wrong.map(({module, suite}) => `${suite} does not import ${module}`)).toEqual([]);
    const reasons = leftOut.filter(({modules}) => !product.some(source => modules.test(source.path)));
    expect(reasons.map(({modules}) => modules.source)).toEqual([]);
  });
});

test.skipIf(process.env['SWITCHYARD_FUZZ_SECONDS'] !== undefined)(
  '[PB26] two properties without settings see the same values, as in every other run',
  () => {
    const seen = [1, 2].map(() => {
      const values: number[] = [];
      fc.assert(fc.property(fc.integer(), value => void values.push(value)));
      return values;
    });
    expect(seen[0]).toEqual(seen[1]);
    expect(fc.readConfigureGlobal().seed).toBe(everyProperty.seed);
  },
);

test('[PB26] a file with a property that is no unit test fixes the values by itself', () => {
  // In workerd there is no environment of the process: properties there have settings of their own.
  const elsewhere = sources(['test/{runner,e2e,faults,real}/**/*.test.ts']).filter(({text}) =>
    importsOf(text).includes('fast-check'),
  );
  expect(elsewhere.length).toBeGreaterThan(0);
  const byChance = elsewhere.filter(
    ({path, text}) => !importsOf(text).some(from => targetOf(path, from) === 'test/property/fuzz-settings.ts'),
  );
  expect(byChance.map(({path}) => path)).toEqual([]);
});

test('[PB24] the command gives every property its seconds, and refuses what is no time', () => {
  expect(fuzzCommand(['--seconds', '5']).environment).toEqual({SWITCHYARD_FUZZ_SECONDS: '5'});
  expect(fuzzCommand(['--seconds', '5']).argv.join(' ')).toContain('--testTimeout 35000');
  expect(() => fuzzCommand(['--seconds', 'soon'])).toThrow('--seconds');
});
