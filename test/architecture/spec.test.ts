import {describe, expect, test} from 'vitest';
import {reached, ruleIds, testedIds, untitledTests} from './spec-rules.ts';
import {sources} from './source-tree.ts';

const documents = sources(['docs/spec/*.md']);
/** The examples below are no tests: this file states its own two ids. */
const tests = reached(sources(['test/**/*.ts'])).filter(({path}) => path !== 'test/architecture/spec.test.ts');
const own = ['AR9', 'AR10'];

const at = (path: string, text: string) => ({path, text});

describe('the specification and the tests', () => {
  test('[AR9] every rule has a test and every test a rule', () => {
    const rules = new Set(ruleIds(documents));
    const tested = new Set([...own, ...testedIds(tests)]);
    expect({
      rulesWithoutTest: [...rules].filter(id => !tested.has(id)).toSorted(),
      testsWithoutRule: [...tested].filter(id => !rules.has(id)).toSorted(),
      titlesWithoutId: untitledTests(tests),
    }).toEqual({rulesWithoutTest: [], testsWithoutRule: [], titlesWithoutId: []});
  });

  test('[AR9] every form of a test is read, and a group is none', () => {
    const text = [
      "test('[XA1] a', () => {});",
      "it('[XA2] a', () => {});",
      'test.for([1, 2])("[XA3] %s", () => {});',
      "test.each(\n  [[1, 2]],\n)('[XA4] %i', () => {});",
      'test.skipIf(off)(`[XA5] a`, () => {});',
      "test(\n  '[XA6] a', {timeout: 1}, () => {});",
      "describe('[XA7] a', () => {});",
    ].join('\n');
    expect([...testedIds([at('a.test.ts', text)])]).toEqual(['XA1', 'XA2', 'XA3', 'XA4', 'XA5', 'XA6']);
  });

  test('[AR9] a title without a rule is found', () => {
    const text = "test('works', f);\ntest.for(cases)('%s works', f);\nit.only('[AR] works', f);\npattern.test('word');";
    expect(untitledTests([at('a.test.ts', text)])).toHaveLength(3);
  });

  test('[AR9] a suite that no test imports counts for nothing', () => {
    const suite = at('test/contract/exec-suite.ts', "test('[XB1] a', f);");
    const user = at('test/contract/exec.test.ts', "import {suite} from './exec-suite.ts';");
    expect(reached([suite])).toEqual([]);
    expect(reached([suite, user])).toEqual([user, suite]);
  });

  test('[AR10] an id is given once', () => {
    const ids = ruleIds(documents);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    expect(ruleIds([at('a.md', '- **AB1** One.\n- **AB1** Two.\n- **AB2**\n  - **AB3** deeper')])).toEqual([
      'AB1',
      'AB1',
    ]);
  });
});
