import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {messageTask} from '@switchyard/shared/api/task-contracts.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  await bed.runner('runner');
});
afterAll(async () => bed.stop());

test('[EE40] what is said to a task that has ended is done by a new task on top of its work', async () => {
  const {path, url} = await bed.repository('follow-up');
  // Its prompt is its standard input.
  const agent = {driver: 'exec' as const, command: ['/bin/sh', '-c', '{ cat; echo; } >>notes.txt']};
  const first = await bed.finished((await bed.submit({prompt: 'one', repository: {url}, agent})).id);
  expect(first, await bed.log(first.id)).toMatchObject({state: 'succeeded', result: {git: {pushed: true}}});
  const {task, seq} = await bed.client.call(messageTask, {params: {task: first.id}, body: {text: 'two'}});
  expect(seq).toBe(0);
  const second = await bed.finished(taskIdSchema.parse(task));
  expect(second, await bed.log(second.id)).toMatchObject({state: 'succeeded', retried_from: first.id});
  const {stdout} = await execa('git', ['-C', path, 'show', `${second.branch}:notes.txt`]);
  expect(stdout).toBe('one\ntwo');
  expect((await execa('git', ['-C', path, 'show', `${first.branch}:notes.txt`])).stdout).toBe('one');
});

test('[EE41] a conflict with the newest base ends the task with a report of files and commits', async () => {
  const {path, url} = await bed.repository('conflict');
  const change = ['git', '-C', path, '-c', 'user.name=t', '-c', 'user.email=t@localhost'].join(' ');
  const script = `echo ours >>README.md; echo theirs >>"${path}/README.md"; ${change} commit -qam "Say theirs"`;
  const agent = {driver: 'exec' as const, command: ['/bin/sh', '-c', script]};
  const {id} = await bed.submit({prompt: 'Say ours', repository: {url, rebase: true}, agent});
  const task = await bed.finished(id);
  expect(task.failures.at(-1), await bed.log(id)).toMatchObject({code: 'rebase_conflict'});
  expect(task.result?.git?.rebase).toMatchObject({
    outcome: 'conflict',
    conflicts: [{path: 'README.md', ours: [{subject: 'Say ours'}], theirs: [{subject: 'Say theirs'}]}],
  });
});
