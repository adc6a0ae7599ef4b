import {appendFileSync, fsyncSync, openSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {setTimeout as delay} from 'node:timers/promises';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {cancelTask, createTask} from '@switchyard/shared/api/task-contracts.ts';
import {errorCodes, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {taskPlan, type TaskPlan} from './load-plan.ts';
import type {Timeline} from './timeline.ts';

/** The control plane said that it has this task. Written to a file, and to its disk, before the load goes on. */
export type Acknowledgement = {readonly at: number; readonly key: string; readonly task: string};
/** What the control plane answered to a request to cancel. */
export type CancelAnswer = {readonly at: number; readonly task: string; readonly state: string};

export type LoadOptions = {
  readonly seed: string;
  readonly client: ApiClient;
  readonly repositoryUrl: string;
  readonly witnessFolder: string;
  readonly acksPath: string;
  readonly timeline: Timeline;
  /** Whether this task has not been seen to end. */
  readonly isOpen: (task: string) => boolean;
};

/** More than there are slots: many wait for their next attempt. */
const openMax = 30;
const pauseMs = 60;
const cancelGraceMs = 500;
const agentPath = fileURLToPath(new URL('agent.ts', import.meta.url));

/** Submits the tasks of a seed, as many at once as keep the runners busy, until it is stopped. */
export class Load {
  readonly acknowledgements: Acknowledgement[] = [];
  readonly cancels: CancelAnswer[] = [];
  /** Submissions that were refused for ever. */
  readonly refusals: {readonly key: string; readonly detail: string}[] = [];
  readonly #plans = new Map<string, TaskPlan>();
  readonly #options: LoadOptions;
  readonly #acks: number;
  readonly #tasks = new Map<string, TaskPlan>();
  readonly #submitting = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #next = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#acks = openSync(options.acksPath, 'a');
  }

  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const open = this.acknowledgedTasks().filter(this.#options.isOpen).length;
      if (open + this.#submitting.size < openMax) this.#begin();
      await delay(pauseMs);
    }
  }

  acknowledgedTasks(): string[] {
    return [...this.#tasks.keys()];
  }

  /** By task: what its agent does. */
  acknowledgedPlans(): ReadonlyMap<string, TaskPlan> {
    return this.#tasks;
  }

  /** Begins nothing more; resolves when what was begun is acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#submitting);
  }

  /** Submits some tasks again under their old keys: the answer must be the first task. */
  async repeat(every: number): Promise<void> {
    const plans = [...this.#plans.values()].filter((_, index) => index % every === 0);
    for (const plan of plans) await this.#submit(plan);
  }

  #begin(): void {
    const plan = taskPlan(this.#options.seed, this.#next);
    this.#next += 1;
    this.#plans.set(plan.agent.key, plan);
    const submitted = this.#submitAll(plan);
    this.#submitting.add(submitted);
    void submitted.finally(() => this.#submitting.delete(submitted));
  }

  async #submitAll(plan: TaskPlan): Promise<void> {
    const tasks = await Promise.all(Array.from({length: plan.copies}, async () => this.#submit(plan)));
    const task = tasks.find(each => each !== undefined);
    if (task !== undefined && plan.cancelAfterMs !== null) await this.#cancel(task, plan.cancelAfterMs);
  }

  /** Until it is answered: only the key makes this safe. */
  async #submit(plan: TaskPlan): Promise<string | undefined> {
    const {key} = plan.agent;
    for (;;) {
      try {
        const {id} = await this.#options.client.call(createTask, {body: this.#spec(plan), idempotencyKey: key});
        this.#acknowledge(plan, {at: Date.now(), key, task: id});
        return id;
      } catch (error) {
        if (!(error instanceof SwitchyardError)) throw error;
        if (!errorCodes[error.code].retry) {
          this.refusals.push({key, detail: `${error.code}: ${error.detail}`});
          return undefined;
        }
        await delay(pauseMs);
      }
    }
  }

  #acknowledge(plan: TaskPlan, ack: Acknowledgement): void {
    appendFileSync(this.#acks, `${JSON.stringify(ack)}\n`);
    fsyncSync(this.#acks);
    this.acknowledgements.push(ack);
    this.#tasks.set(ack.task, plan);
  }

  async #cancel(task: string, afterMs: number): Promise<void> {
    await delay(afterMs);
    this.#options.timeline.note('cancel', 'load', task);
    try {
      const {state} = await this.#options.client.call(cancelTask, {
        params: {task: taskIdSchema.parse(task)},
        body: {grace_ms: cancelGraceMs},
      });
      this.cancels.push({at: Date.now(), task, state});
    } catch (error) {
      // Nothing was promised. It may have been cancelled all the same.
      if (!(error instanceof SwitchyardError)) throw error;
    }
  }

  #spec({agent, priority}: TaskPlan): TaskSpecInput {
    return {
      title: agent.key,
      prompt: 'go',
      agent: {
        driver: 'exec',
        command: [process.execPath, agentPath, this.#options.witnessFolder, JSON.stringify(agent)],
      },
      priority,
      attempts_max: 4,
      timeout_ms: 60_000,
      ...(agent.changes ? {repository: {url: this.#options.repositoryUrl}} : {}),
    };
  }
}
