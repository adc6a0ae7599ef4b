import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import * as z from 'zod';
import {apiClient, type ApiClient} from '@switchyard/shared/api/client.ts';
import {getTask, listTaskEvents, listTasks} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskEventView, TaskView} from '@switchyard/shared/api/task-view.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {isFinished, finishedTaskStates, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {LogCopy} from './log-check.ts';
import type {TaskEnd} from './verdict.ts';
import type {Yard} from './yard.ts';

const timeoutMs = 5_000;
const pollMs = 700;
const patienceMs = 60_000;
/** The newest tasks are looked at all the time, the others at the end. */
const pagesWatched = 2;

/** Looks at the control plane from outside, as a user can, and remembers every state that it showed. */
export class Observer {
  readonly client: ApiClient;
  readonly #url: string;
  readonly #token: string;
  readonly #sightings = new Map<string, TaskState[]>();
  readonly #stop = new AbortController();

  constructor({bed}: Yard) {
    this.#url = bed.url;
    const file = JSON.parse(readFileSync(join(bed.folder, 'plane', 'client.json'), 'utf8')) as {token: string};
    this.#token = file.token;
    this.client = apiClient({url: bed.url, token: file.token, timeoutMs});
  }

  sightings(task: string): readonly TaskState[] {
    return this.#sightings.get(task) ?? [];
  }

  isOpen(task: string): boolean {
    const state = this.sightings(task).at(-1);
    return state === undefined || !isFinished(state);
  }

  /** Every task that the control plane has shown. */
  seen(): Iterable<string> {
    return this.#sightings.keys();
  }

  async watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // A control plane that is down shows nothing.
      await this.#look(pagesWatched).catch((error: unknown) => {
        if (!(error instanceof SwitchyardError)) throw error;
      });
      await delay(pollMs);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Every task that there is. */
  async lookAtAll(): Promise<void> {
    await this.#patiently(async () => this.#look(Infinity));
  }

  /** Undefined when the control plane does not know the task. */
  async end(task: TaskView['id']): Promise<TaskEnd | undefined> {
    return this.#patiently(async () => {
      const params = {task};
      const view = await this.client.call(getTask, {params}).catch((error: unknown) => {
        if (error instanceof SwitchyardError && error.code === 'not_found') return undefined;
        throw error;
      });
      if (view === undefined) return undefined;
      const events = await this.#eventsOf(task);
      const {state, epoch, failures} = view;
      return {
        state,
        epoch,
        acceptedEpochs: events.filter(isExit).map(event => event.epoch),
        ends: events.map(({kind}) => kind).filter(isEnd),
        history: events.map(event => JSON.stringify(event)),
        failureCodes: failures.map(({code}) => code),
      };
    });
  }

  async log(task: string, epoch: number): Promise<LogCopy> {
    return this.#patiently(async () => {
      const headers = {authorization: `Bearer ${this.#token}`, accept: 'application/octet-stream'};
      const answer = await fetch(`${this.#url}/v1/tasks/${task}/log?epoch=${epoch}`, {headers});
      if (!answer.ok) throw new SwitchyardError('unavailable', `the log answered ${answer.status}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      const promised = Number(answer.headers.get('x-log-length'));
      if (bytes.length !== promised) throw new SwitchyardError('unavailable', `${bytes.length} of ${promised} bytes`);
      return {bytes, isSealed: answer.headers.get('x-log-sealed') === 'true'};
    });
  }

  async #eventsOf(task: TaskView['id']): Promise<TaskEventView[]> {
    const events: TaskEventView[] = [];
    let after: number | null = 0;
    while (after !== null) {
      const query: {after: number; limit: number} = {after, limit: limits.listLimitMax};
      const page: EventPage = await this.client.call(listTaskEvents, {params: {task}, query});
      events.push(...page.events);
      after = page.next;
    }
    return events;
  }

  async #look(pagesMax: number): Promise<void> {
    let cursor: string | undefined;
    for (let page = 0; page < pagesMax; page += 1) {
      const query = {limit: limits.listLimitMax, ...(cursor === undefined ? {} : {cursor})};
      const {tasks, next} = await this.client.call(listTasks, {query});
      for (const {id, state} of tasks) this.#see(id, state);
      if (next === null) return;
      cursor = next;
    }
  }

  #see(task: string, state: TaskState): void {
    const seen = this.#sightings.get(task) ?? [];
    this.#sightings.set(task, seen);
    if (seen.at(-1) !== state) seen.push(state);
  }

  /** Once faults have stopped everything is answered, soon. */
  async #patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    for (const end = performance.now() + patienceMs; ; await delay(pollMs)) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() > end) throw error;
      }
    }
  }
}

function isEnd(kind: string): boolean {
  return [...finishedTaskStates].some(state => kind === `task.${state}`);
}

type EventPage = {readonly events: readonly TaskEventView[]; readonly next: number | null};

/** A change of state because the exit of an attempt was accepted. */
function isExit({kind, data}: TaskEventView): boolean {
  return kind.startsWith('task.') && z.object({by: z.literal('exited')}).safeParse(data).success;
}
