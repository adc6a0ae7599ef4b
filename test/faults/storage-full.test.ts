import {mkdtempSync, realpathSync, rmSync, statfsSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {createTask, createTasks, getTask} from '@switchyard/shared/api/task-contracts.ts';
import {startControlPlane, type ControlPlane} from '../../runner/src/services/control-plane.ts';
import {localPool} from '../../runner/src/services/local-pool.ts';
import {stateLayout} from '../../runner/src/services/state-layout.ts';
import {smallDisk} from '../chaos/small-disk.ts';
import {repository} from '../fixtures/cli.ts';
import {keptPort} from '../fixtures/kept-port.ts';

let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-full-')));
});
afterEach(() => rmSync(home, {recursive: true, force: true, maxRetries: 5}));

/** The disk keeps so much room that databases can be opened and small things written, and not that of one request. */
const roomBytes = 2 ** 20;
const tasks = Array.from({length: 100}, () => ({prompt: 'x'.repeat(40_000)}));

function fillAllBut(bytes: number, folder: string): () => void {
  const filler = join(folder, 'filler');
  const {bavail, bsize} = statfsSync(folder);
  writeFileSync(filler, Buffer.alloc(bavail * bsize - bytes));
  return () => rmSync(filler);
}

test('[HT28] a full disk below the control plane has a code and a next step, and passes with the want of room', async ({
  skip,
}) => {
  const layout = stateLayout(join(home, '.switchyard'));
  const disk = smallDisk(layout.root);
  if (typeof disk === 'string') return skip(disk);
  const said: string[] = [];
  let plane: ControlPlane | undefined;
  try {
    const {controlPlaneDirectory: directory} = layout;
    const onLine = (line: string): unknown => said.push(line);
    plane = await startControlPlane({repository, directory, host: '127.0.0.1', port: await keptPort(), onLine});
    const {client} = await localPool(layout, plane.url);
    const {id} = await client.call(createTask, {body: {prompt: 'before'}});
    const free = fillAllBut(roomBytes, layout.root);
    const refused = await client.call(createTasks, {body: {tasks}}).catch((error: unknown) => error);
    expect(refused, said.join('\n')).toMatchObject({
      code: 'storage_full',
      hint: expect.stringContaining('switchyard doctor'),
    });
    free();
    // The object that could not write begins anew, maybe a moment later.
    const {ids} = await vi.waitFor(async () => client.call(createTasks, {body: {tasks}}), {
      timeout: 60_000,
      interval: 50,
    });
    expect(ids).toHaveLength(tasks.length);
    const kept = await client.call(getTask, {params: {task: id}});
    expect(kept).toMatchObject({id, title: 'before'});
  } finally {
    await plane?.stop();
    disk.unmount();
  }
});
