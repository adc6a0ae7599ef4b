import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Channel, Executor, LaunchPlan} from '../../runner/src/executor/executor.ts';

export type ExecutorHarness = {
  readonly executor: Executor;
  /** A further instance over the same state, as a restarted runner has. */
  readonly another: () => Executor;
  /** The boot clock of the machine on which agents run. */
  readonly bootNowMs: () => number;
  /** A new attempt; the argv is executed where agents run, with a POSIX sh, coreutils and `setsid` at hand. */
  readonly attempt: (
    argv: [string, ...string[]],
    overrides?: Partial<LaunchPlan>,
  ) => {plan: LaunchPlan; runDir: string};
  readonly close: () => Promise<void>;
};

const sh = (script: string, ...args: string[]): [string, ...string[]] => ['/bin/sh', '-c', script, 'agent', ...args];

export async function readAll(
  executor: Executor,
  runDir: string,
  channel: Channel = 'out',
  offset = 0,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const {bytes} of executor.tail(runDir, {channel, offset})) chunks.push(bytes);
  return Buffer.concat(chunks).toString();
}

/** Reads until the text has come, and leaves the loop. */
export async function readUntil(executor: Executor, runDir: string, text: string): Promise<void> {
  let read = '';
  for await (const {bytes} of executor.tail(runDir, {channel: 'out', offset: 0, signal: AbortSignal.timeout(20_000)})) {
    read += Buffer.from(bytes).toString();
    if (read.includes(text)) return;
  }
  throw new Error(`expected ${JSON.stringify(text)} in ${JSON.stringify(read)}`);
}

export async function untilState(executor: Executor, runDir: string, state: string): Promise<void> {
  await expect.poll(async () => (await executor.status(runDir)).state, {interval: 20}).toBe(state);
}

/** What every executor promises, whatever it runs agents in. */
export function executorContract(name: string, open: () => Promise<ExecutorHarness>): void {
  describe(`executor contract: ${name}`, () => {
    let harness: ExecutorHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness.close());

    const launched = async (argv: [string, ...string[]], overrides: Partial<LaunchPlan> = {}): Promise<string> => {
      const {plan, runDir} = harness.attempt(argv, overrides);
      await harness.executor.launch(plan, runDir);
      return runDir;
    };

    test('[EX1] arguments reach the program as they are', async () => {
      const words = ['two words', '$HOME', '`id`', '"; exit 9 #', '', '*', "it's", 'line\nbreak'];
      const runDir = await launched(sh('for word; do printf "<%s>" "$word"; done', ...words));
      expect(await readAll(harness.executor, runDir)).toBe(words.map(word => `<${word}>`).join(''));
    });

    test('[EX2] the environment is the one of the plan, with a home and a folder of its own', async () => {
      const runDir = await launched(sh('env; pwd'), {env: {GIVEN: 'yes'}});
      const names = (await readAll(harness.executor, runDir))
        .split('\n')
        .flatMap(line => /^(\w+)=/.exec(line)?.[1] ?? []);
      const ofShells = new Set(['PWD', 'OLDPWD', 'SHLVL', '_']);
      expect(names.filter(name => !ofShells.has(name)).toSorted()).toEqual([
        'GIVEN',
        'HOME',
        'PATH',
        'SWITCHYARD_ATTEMPT',
        'TMPDIR',
      ]);
    });

    test('[EX3] the two streams are two channels, or one in the order of writing', async () => {
      const script = sh('echo a; echo b >&2; echo c');
      const [separate, merged] = [await launched(script), await launched(script, {channels: 'merged'})];
      expect(await readAll(harness.executor, separate, 'out')).toBe('a\nc\n');
      expect(await readAll(harness.executor, separate, 'err')).toBe('b\n');
      expect(await readAll(harness.executor, merged, 'out')).toBe('a\nb\nc\n');
      expect(await readAll(harness.executor, merged, 'err')).toBe('');
    });

    test.for([
      {script: 'exit 0', code: 0, signal: undefined},
      {script: 'exit 3', code: 3, signal: undefined},
      {script: 'kill -KILL $$', code: 137, signal: 'SIGKILL'},
      {script: 'kill -TERM $$', code: 143, signal: 'SIGTERM'},
    ])('[EX4] the end of "$script" is known', async ({script, code, signal}) => {
      const runDir = await launched(sh(script));
      expect(await readAll(harness.executor, runDir)).toBe('');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'exited', code, signal});
    });

    test('[EX5] a program that cannot be run is an exit that says why', async () => {
      const runDir = await launched(['/nowhere/agent']);
      expect(await readAll(harness.executor, runDir, 'err')).toMatch(/not found|No such file/);
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'exited', code: 127});
    });

    test('[EX6] an agent starts once however often it is launched', async () => {
      const {plan, runDir} = harness.attempt(sh('echo started; sleep 0.3'));
      await Promise.all(Array.from({length: 8}, () => harness.another().launch(plan, runDir)));
      expect(await readAll(harness.executor, runDir)).toBe('started\n');
      expect(await harness.executor.launch(plan, runDir)).toMatchObject({state: 'exited'});
      expect(await readAll(harness.executor, runDir)).toBe('started\n');
    });

    test('[EX7] a log is read from any offset, whole, and ends with the attempt', async () => {
      const runDir = await launched(
        sh('for i in 1 2 3 4 5; do head -c 50000 /dev/zero | tr "\\0" "$i"; sleep 0.05; done'),
      );
      const whole = '12345'.replaceAll(/./g, digit => digit.repeat(50_000));
      const [all, part] = await Promise.all(
        [0, 70_001].map(offset => readAll(harness.executor, runDir, 'out', offset)),
      );
      expect(all === whole && part === whole.slice(70_001)).toBe(true);
    });

    test('[EX8] reading stops in silence when it is cancelled', async () => {
      const runDir = await launched(sh('echo one; sleep 60'));
      const cancel = new AbortController();
      const read: string[] = [];
      for await (const {bytes} of harness.executor.tail(runDir, {channel: 'out', offset: 0, signal: cancel.signal})) {
        read.push(Buffer.from(bytes).toString());
        setTimeout(() => cancel.abort(), 20);
      }
      expect(read.join('')).toBe('one\n');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'running'});
    });

    test('[EX9] input arrives whole and in order, stays open between writes, and can be ended', async () => {
      const runDir = await launched(sh('while read -r line; do echo "got $line"; done; echo end'), {input: 'stream'});
      const lines = Array.from({length: 3}, (_, index) => `${index} ${'x'.repeat(40_000)}\n`);
      await Promise.all(lines.slice(0, 2).map(line => harness.executor.write(runDir, Buffer.from(line))));
      await readUntil(harness.executor, runDir, `got 1 `);
      await harness.another().write(runDir, Buffer.from(lines[2] ?? ''), {end: true});
      expect(await readAll(harness.executor, runDir)).toBe(`${lines.map(line => `got ${line}`).join('')}end\n`);
    });

    test('[EX10] input for an attempt that has ended, or that is not read, is refused', async () => {
      const [ended, deaf] = [
        await launched(sh('exit 0'), {input: 'stream'}),
        await launched(sh('sleep 60'), {input: 'stream'}),
      ];
      await untilState(harness.executor, ended, 'exited');
      await expect(harness.executor.write(ended, Buffer.from('x'))).rejects.toMatchObject({code: 'not_running'});
      const tooMuch = Buffer.alloc(1024 * 1024);
      await expect(harness.executor.write(deaf, tooMuch, {timeoutMs: 100})).rejects.toMatchObject({
        code: 'not_running',
      });
    });

    test('[EX11] an interrupt reaches the agent, a request to stop everything it started', async () => {
      const traps = 'trap "echo INT" INT; trap "echo TERM; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
      const runDir = await launched(sh(traps));
      await readUntil(harness.executor, runDir, 'ready');
      await harness.executor.signal(runDir, 'SIGINT');
      await readUntil(harness.executor, runDir, 'INT');
      await harness.executor.signal(runDir, 'SIGTERM');
      expect(await readAll(harness.executor, runDir)).toBe('ready\nINT\nTERM\n');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'exited', code: 5});
    });

    test('[EX12] a kill ends an agent that ignores requests, and says so (T10)', async () => {
      const runDir = await launched(sh('trap "" TERM INT; echo ready; while :; do sleep 1; done'));
      await readUntil(harness.executor, runDir, 'ready');
      expect(await harness.executor.signal(runDir, 'SIGKILL', 'gone')).toEqual({survivors: []});
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'killed', reason: 'gone', code: 137});
      expect(await harness.executor.signal(runDir, 'SIGKILL', 'cancelled')).toEqual({survivors: []});
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'killed', reason: 'gone'});
    });

    test('[EX13] an attempt killed before it began never begins', async () => {
      const {plan, runDir} = harness.attempt(sh('echo started'));
      expect(await harness.executor.status(runDir)).toEqual({state: 'absent'});
      await harness.executor.signal(runDir, 'SIGKILL', 'gone');
      await harness.executor.launch(plan, runDir).catch(() => undefined);
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'killed', reason: 'gone'});
    });

    test('[EX14] the deadline ends the agent: first asked, then killed', async () => {
      const runDir = await launched(sh('trap "echo asked" TERM; echo ready; while :; do sleep 0.1; done'));
      await readUntil(harness.executor, runDir, 'ready');
      const softMs = harness.bootNowMs();
      await harness.executor.refreshDeadline(runDir, {softMs, hardMs: softMs + 60_000});
      await readUntil(harness.executor, runDir, 'asked');
      await harness.executor.refreshDeadline(runDir, {softMs, hardMs: harness.bootNowMs() + 1_000});
      expect(await readAll(harness.executor, runDir)).toBe('ready\nasked\n');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'killed', reason: 'deadline', code: 137});
    });

    test('[EX15] a refreshed deadline is obeyed in place of the old one', async () => {
      const runDir = await launched(sh('read -r line; echo "$line"'), {input: 'stream'});
      const oldMs = harness.bootNowMs() + 5_000;
      await harness.executor.refreshDeadline(runDir, {softMs: oldMs, hardMs: oldMs});
      await harness.executor.refreshDeadline(runDir, {softMs: oldMs + 60_000, hardMs: oldMs + 60_000});
      // The shim looks once a second: two looks later it would have ended the agent.
      await expect.poll(() => harness.bootNowMs(), {interval: 50}).toBeGreaterThan(oldMs + 2_000);
      await harness.executor.write(runDir, Buffer.from('done\n'));
      expect(await readAll(harness.executor, runDir)).toBe('done\n');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'exited', code: 0});
    });

    test('[EX16] a further instance sees, reads, feeds and kills the same attempt', async () => {
      const runDir = await launched(sh('while read -r line; do echo "got $line"; done'), {input: 'stream'});
      const adopter = harness.another();
      expect(await adopter.status(runDir)).toMatchObject({state: 'running'});
      await adopter.write(runDir, Buffer.from('a line\n'));
      await readUntil(adopter, runDir, 'got a line');
      expect(await adopter.signal(runDir, 'SIGKILL')).toEqual({survivors: []});
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'killed'});
    });

    test('[EX17] nothing writes to the log once the end is known', async () => {
      const writer = 'setsid sh -c "while :; do echo more; : >\\$TMPDIR/wrote; sleep 0.02; done"';
      const runDir = await launched(sh(`(${writer} &); until [ -e "$TMPDIR/wrote" ]; do sleep 0.02; done`));
      const log = await readAll(harness.executor, runDir);
      expect(log).toContain('more');
      expect(await harness.executor.status(runDir)).toMatchObject({state: 'exited', code: 0});
      await new Promise(resolve => setTimeout(resolve, 200));
      expect(await readAll(harness.executor, runDir)).toBe(log);
    });
  });
}
