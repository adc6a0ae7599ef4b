import {createTask} from '@switchyard/shared/api/task-contracts.ts';
import {connectRunner, type BenchRunner, type Held} from './bench-runner.ts';
import {startControlPlane, type BenchControlPlane} from './control-plane.ts';

export type AttemptSource = {
  readonly plane: BenchControlPlane;
  readonly link: BenchRunner;
  /** Creates a task and resolves with the attempt that the runner was told to begin. */
  readonly begin: () => Promise<Held>;
  /** Where the log of an attempt is sent, and with which headers. */
  readonly logAddress: (held: Held) => {
    readonly url: string;
    readonly headers: () => Promise<Readonly<Record<string, string>>>;
  };
  readonly stop: () => Promise<void>;
};

const goMsMax = 10_000;

/** A control plane and a runner in this process that holds its attempts until it is told otherwise. */
export async function attemptSource(): Promise<AttemptSource> {
  const plane = await startControlPlane();
  const begun = new Map<string, Held>();
  const waiting = new Map<string, (held: Held) => void>();
  const link = await connectRunner({
    url: plane.url,
    enrolment: await plane.enrolment(),
    slots: 8,
    onHave: () => undefined,
    onGo: held => {
      const resolve = waiting.get(held.task);
      if (resolve === undefined) begun.set(held.task, held);
      else resolve(held);
    },
    onDone: () => undefined,
    onClose: why => void process.stderr.write(`  bench runner: ${why}\n`),
  });
  const goOf = async (task: string): Promise<Held> => {
    const {promise, resolve, reject} = Promise.withResolvers<Held>();
    const timer = setTimeout(() => reject(new Error(`no go for ${task} within ${goMsMax} ms`)), goMsMax);
    waiting.set(task, resolve);
    const early = begun.get(task);
    if (early !== undefined) resolve(early);
    return promise.finally(() => {
      clearTimeout(timer);
      waiting.delete(task);
      begun.delete(task);
    });
  };
  return {
    plane,
    link,
    begin: async () => goOf((await plane.client.call(createTask, {body: {prompt: 'write a log'}})).id),
    logAddress: ({task, epoch, ticket}) => ({
      url: `${plane.url.replace(/^http/, 'ws')}/v1/runner/log/${task}?epoch=${epoch}`,
      headers: async () => ({authorization: `Bearer ${await link.connectToken()}`, 'x-log-ticket': ticket}),
    }),
    stop: async () => {
      link.close();
      await plane.stop();
    },
  };
}
