import {setTimeout as delay} from 'node:timers/promises';
import {expect, test} from 'vitest';
import * as z from 'zod';
import {lastJson} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';

const own = new OwnUp();
const page = z.object({
  attempts: z.array(z.object({task: z.string(), epoch: z.int(), task_state: z.string()})),
  next: z.string().nullable(),
});
const deadlineMs = 60_000;

test('[CL30] attempts that have ended are listed, page after page, and found by state, role and task', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const created = async (prompt: string, ...more: readonly string[]): Promise<string> =>
    z.object({id: z.string()}).parse(lastJson(await own.here('task', 'create', prompt, ...more, '--wait', '--json')))
      .id;
  const history = async (...args: readonly string[]) =>
    page.parse(lastJson(await own.here('history', '--json', ...args)));
  const tasks = async (...args: readonly string[]) => (await history(...args)).attempts.map(({task}) => task);

  const fine = await created('say: hello');
  const late = await created('wait: 60000', '--timeout', '1s', '--role', 'verifier');
  // The directory hears of an end a moment after the task has it.
  for (const end = performance.now() + deadlineMs; (await tasks()).length < 2; await delay(50))
    expect(performance.now(), 'both attempts are in the history').toBeLessThan(end);

  expect(await tasks()).toEqual([late, fine]);
  expect(await tasks('--states', 'succeeded')).toEqual([fine]);
  expect(await tasks('--task', late, '--role', 'verifier')).toEqual([late]);
  expect(await tasks('--outcome', 'pr.approved')).toEqual([]);
  const newest = await history('--limit', '1');
  expect(await history('--limit', '1', '--cursor', newest.next ?? '')).toMatchObject({
    attempts: [{task: fine, epoch: 1, task_state: 'succeeded'}],
    next: null,
  });
  const shown = await own.here('history', '--limit', '1');
  expect(shown.stdout).toMatch(
    new RegExp(`^TASK +EPOCH +STATE +END +AGE +TITLE\n${late} +1 +timed_out .* wait: 60000\n$`),
  );
  expect(shown.stderr).toContain(`--cursor ${newest.next}`);
  expect(await own.here('history', '--states', 'late')).toMatchObject({code: 2});
  expect(await own.here('history', '--role', 'author')).toMatchObject({code: 2});
});
