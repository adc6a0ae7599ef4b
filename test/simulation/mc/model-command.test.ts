import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {describe, expect, test} from 'vitest';

const command = fileURLToPath(new URL('main.ts', import.meta.url));
const run = promisify(execFile);

async function model(...args: readonly string[]): Promise<string> {
  const {stdout} = await run(process.execPath, [command, ...args], {timeout: 300_000});
  return stdout;
}

describe('npm run model', {timeout: 300_000}, () => {
  test('[MC17] shows the verdict on a variant and each step of its counterexample', async () => {
    const lines = (await model('--variant', 'V3')).split('\n');
    expect(lines.find(line => line.startsWith('V3 '))).toContain('two agents at once (9 steps)');
    expect(lines.filter(line => /^ ?\d+ /.test(line))).toHaveLength(9);
    expect(lines.find(line => line.startsWith('9 '))?.split(/ {2,}/)).toEqual([
      '9',
      'B receives grant 2 and starts its agent',
      'leased 2 to B, 4 left',
      'running 1, 0 left',
      'running 2, 3 left',
      'gone 1 A',
    ]);
  });

  test('[MC17] says it as one JSON document when asked', async () => {
    const {findings} = JSON.parse(await model('--variant', 'V5', '--json')) as {findings: readonly object[]};
    expect(findings).toMatchObject([{name: 'V5', design: {startOn: 'go'}, isSafe: true, isAsKnown: true, broken: []}]);
  });

  test('[MC17] looks as far as it is told, and fails when a verdict is not what is known', async () => {
    // With one epoch there is never a second agent, and V2 looks safe.
    const args = ['--variant', 'V2', '--messages', '1', '--epochs', '1', '--json'];
    const failed = await model(...args).catch((error: unknown) => error);
    expect(failed).toMatchObject({code: 1, stdout: expect.stringContaining('"isAsKnown": false')});
    expect(failed).toMatchObject({stdout: expect.stringContaining('"messagesMax": 1')});
  });

  test.for([
    {args: ['--variant', 'V9'], why: 'there is no variant V9'},
    {args: ['--messages', '4'], why: 'expected 1, 2 or 3'},
    {args: ['--record', '--epochs', '3'], why: '--record is for all variants within the usual bounds'},
  ])('[MC17] refuses $args', async ({args, why}) => {
    await expect(model(...args)).rejects.toMatchObject({code: 1, stderr: expect.stringContaining(why)});
  });
});
