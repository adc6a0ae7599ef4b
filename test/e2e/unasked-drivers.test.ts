import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {rulebookOf} from '@switchyard/shared/policy/charter/rulebook.ts';
import {unaskedRefusal} from '../../runner/src/agent/unasked-drivers.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(
    join(directory, 'charter.yaml'),
    'name: strict\nsafetyHeuristics: {alwaysReject: [{name: x, read: [x]}]}\n',
  );
  await bed.runner('runner');
});
afterAll(async () => bed.stop());

test('[CP22] under a charter that refuses anything a command is not taken', async () => {
  const exec: TaskSpecInput = {prompt: 'x', agent: {driver: 'exec', command: ['/bin/echo', 'hello']}};
  const {id} = await bed.submit(exec);
  const task = await bed.finished(id);
  expect(task).toMatchObject({state: 'failed', failures: [{code: 'policy_refused'}]});
  expect(task.failures[0]?.detail).toContain('"unasked_drivers": ["exec"]');
});

test('[CP25] a script is judged as a whole before any line of it runs', async () => {
  const script = async (lines: readonly string[]): Promise<TaskView> => {
    const {id} = await bed.submit({prompt: lines.join('\n'), agent: {driver: 'scripted'}});
    return bed.finished(id);
  };
  expect((await script(['say: hello', 'run: echo hello'])).state).toBe('succeeded');
  // Longer than a failure may say.
  const refused = await script(['say: hello', `run: cat x ${'y'.repeat(8_000)}`]);
  expect(refused).toMatchObject({state: 'failed', failures: [{code: 'policy_refused'}]});
  expect(refused.failures[0]?.detail).toContain('cat x');
  expect(await bed.log(refused.id)).not.toContain('hello');
});

test('[CP22] a charter that refuses nothing, and an agent that asks, keep nobody out', () => {
  const strict = rulebookOf({alwaysReject: ['Git push'], escalate: [], autoApprove: []});
  const lenient = rulebookOf({alwaysReject: [], escalate: [], autoApprove: ['Run tests']});
  const unclear = rulebookOf({alwaysReject: [], escalate: ['Something that nobody understands'], autoApprove: []});
  const none = {unasked_drivers: []};
  expect(unaskedRefusal(none, strict, 'exec')).toContain('ask nobody');
  expect(unaskedRefusal(none, unclear, 'exec')).toContain('ask nobody');
  expect(unaskedRefusal(none, lenient, 'exec')).toBeUndefined();
  expect(unaskedRefusal(none, null, 'exec')).toBeUndefined();
  expect(unaskedRefusal({unasked_drivers: ['exec']}, strict, 'exec')).toBeUndefined();
  for (const driver of ['claude', 'codex', 'gemini', 'opencode', 'scripted'])
    expect(unaskedRefusal(none, strict, driver)).toBeUndefined();
});
