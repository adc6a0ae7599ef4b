import {fileURLToPath} from 'node:url';
import {execa} from 'execa';
import {describe, expect, test} from 'vitest';
import {ourRunner, tinyRunner} from '../conformance/commands.ts';
import {judgeScenario} from '../conformance/judgement.ts';
import {allScenarios} from '../conformance/scenarios.ts';

const check = fileURLToPath(new URL('../conformance/check.ts', import.meta.url));

async function judged(id: string, command: readonly string[]) {
  const scenario = allScenarios.find(each => each.id === id);
  if (scenario === undefined) throw new Error(`no scenario ${id}`);
  return judgeScenario(scenario, command);
}

describe.concurrent('the quick part of the check', () => {
  // The whole of it is a stage of .ci/run: npm run conformance.
  test.for([
    'unknown-is-ignored',
    'bad-signature-is-refused',
    'log-is-whole',
    'exit-follows-the-seal',
    'replay-one-task',
  ])('[CF1] our own runner: %s', async id => {
    expect((await judged(id, ourRunner)).fault).toBeUndefined();
  });

  test.for([
    ['start-on-offer', 'offer-starts-nothing', 'must not happen: a start before `go`'],
    ['take-any-signature', 'bad-signature-is-refused', 'the runner accepted it'],
    ['ignore-gone', 'gone-kills', 'not seen: the agent is dead two seconds after `gone`'],
    ['skip-a-byte', 'log-is-whole', 'a frame begins at'],
  ] as const)('[CF2] a runner with the fault %s fails %s', async ([wrong, id, fault]) => {
    const judgement = await judged(id, tinyRunner(wrong));
    expect(judgement.fault).toContain(fault);
    expect(judgement.evidence.some(line => /-> (?:control|log): /.test(line))).toBe(true);
  });
});

describe.concurrent('the command', () => {
  const run = async (...args: string[]) => execa(process.execPath, [check, ...args], {reject: false});

  test('[CF9] names what failed, with the rule, the reason and what was said', async () => {
    const {stdout, exitCode} = await run('--only', 'exit-code-is-told', '--', ...tinyRunner('always-succeed'));
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/FAIL {2}exit-code-is-told/);
    expect(stdout).toContain('must: An agent that ends with a code of its own has failed');
    expect(stdout).toContain('but:  an agent that ended with 3 is reported as succeeded');
    expect(stdout).toMatch(/\| +\d\.\d{3} -> control: \{"t":"accept"/);
    expect(stdout).toContain('0 of 1 scenarios passed');
  });

  test('[CF9] passes, lists, and refuses what it does not know', async () => {
    const [passed, listed, unknown, noLanes] = await Promise.all([
      run('--only', 'exit-code-is-told', '--', ...tinyRunner('nothing')),
      run('--list'),
      run('--only', 'no-such'),
      run('--lanes', '0'),
    ]);
    expect(passed).toMatchObject({exitCode: 0, stdout: expect.stringContaining('1 of 1 scenarios passed')});
    expect(listed.stdout).toContain('| `gone-kills` | After `gone`');
    expect(unknown).toMatchObject({exitCode: 2, stderr: expect.stringContaining('no such scenario: no-such')});
    expect(noLanes.exitCode).toBe(2);
  });

  test('[CF10] a runner that proves the wrong key is not tried further', async () => {
    const {stdout, exitCode} = await run(
      ...['--only', 'hello-proves-the-key', '--only', 'gone-kills', '--', ...tinyRunner('sign-another-nonce')],
    );
    expect(exitCode).toBe(1);
    expect(stdout).toContain('the signature of the hello does not hold');
    expect(stdout).toContain('the others were not tried');
    expect(stdout).not.toContain('gone-kills ');
  });
});
