import {changePool} from '@switchyard/shared/api/pool-contracts.ts';
import {createTask, createTasks} from '@switchyard/shared/api/task-contracts.ts';
import {startWorker} from '../child.ts';
import type {DrainQueue} from '../drain.ts';
import {startControlPlane} from './control-plane.ts';
import {poster} from './poster.ts';

export const switchyardName = 'Switchyard';

/** The shipped control plane in embedded workerd: bearer token, schema, signed dispatch, signed exit. */
export async function switchyard({spawnsAgent}: {spawnsAgent: boolean}): Promise<DrainQueue> {
  const plane = await startControlPlane();
  const worker = await startWorker('sides/switchyard-worker.ts', {
    BENCH_URL: plane.url,
    BENCH_ENROLMENT: await plane.enrolment(),
    BENCH_SPAWN: spawnsAgent ? '1' : '0',
  }).catch(async (error: unknown) => {
    await plane.stop();
    throw error;
  });
  const post = poster(plane.url, plane.token);
  return {
    name: switchyardName,
    add: async payload => {
      const {status, text} = await post(createTask.path, JSON.stringify({prompt: payload}));
      if (status !== 201) throw new Error(`createTask answered ${status}: ${text}`);
      return /"id":"(tsk_[0-9a-z]+)"/.exec(text)?.[1] ?? '';
    },
    addBulk: async (payload, count) => {
      const tasks = Array.from({length: count}, () => ({prompt: payload}));
      const {status, text} = await post(createTasks.path, JSON.stringify({tasks}));
      if (status !== 201) throw new Error(`createTasks answered ${status}: ${text}`);
    },
    pause: async () => void (await plane.client.call(changePool, {body: {paused: true}})),
    resume: async () => void (await plane.client.call(changePool, {body: {paused: false}})),
    onStamp: worker.onStamp,
    stop: async () => {
      await worker.stop();
      await plane.stop();
    },
  };
}
