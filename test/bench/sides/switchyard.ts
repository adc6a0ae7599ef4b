import {Agent, request} from 'node:http';
import {createTask, createTasks} from '@switchyard/shared/api/task-contracts.ts';
import {startWorker} from '../child.ts';
import type {Queue} from '../closed-loop.ts';
import {startControlPlane} from './control-plane.ts';

type Answer = {readonly status: number; readonly text: string};

/** One keep-alive pool, as a client of a queue has; `fetch` costs several times as much in the producer. */
function poster(url: string, token: string): (path: string, body: string) => Promise<Answer> {
  const agent = new Agent({keepAlive: true, maxSockets: 64});
  const {hostname, port} = new URL(url);
  return (path, body) =>
    new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${token}`,
      };
      const call = request({agent, hostname, port, path, method: 'POST', headers}, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString()}));
      });
      call.on('error', reject);
      call.end(body);
    });
}

export type SwitchyardQueue = Queue & {
  readonly addBulk: (payload: string, count: number) => Promise<readonly string[]>;
};

/** The shipped control plane in embedded workerd: bearer token, schema, signed dispatch, signed exit. */
export async function switchyard({
  spawnsAgent,
  slots = 64,
}: {
  spawnsAgent: boolean;
  slots?: number;
}): Promise<SwitchyardQueue> {
  const plane = await startControlPlane();
  const worker = await startWorker('sides/switchyard-worker.ts', {
    BENCH_URL: plane.url,
    BENCH_ENROLMENT: await plane.enrolment(),
    BENCH_SPAWN: spawnsAgent ? '1' : '0',
    BENCH_SLOTS: String(slots),
  });
  const post = poster(plane.url, plane.token);
  return {
    name: 'Switchyard',
    add: async payload => {
      const {status, text} = await post(createTask.path, JSON.stringify({prompt: payload}));
      if (status !== 201) throw new Error(`createTask answered ${status}: ${text}`);
      return /"id":"(tsk_[0-9a-z]+)"/.exec(text)?.[1] ?? '';
    },
    addBulk: async (payload, count) => {
      const {status, text} = await post(
        createTasks.path,
        JSON.stringify({tasks: Array.from({length: count}, () => ({prompt: payload}))}),
      );
      if (status !== 201) throw new Error(`createTasks answered ${status}: ${text}`);
      return createTasks.responses[201].parse(JSON.parse(text)).ids;
    },
    onStart: listener => worker.onStamp(([kind, id, atUs]) => kind === 'start' && listener(id, atUs)),
    onDone: listener => worker.onStamp(([kind, id, atUs]) => kind === 'done' && listener(id, atUs)),
    stop: async () => {
      await worker.stop();
      await plane.stop();
    },
  };
}
