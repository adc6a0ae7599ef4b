import {taskIdSchema, type TaskId} from '@switchyard/shared/domain/id.ts';
import type {AgentUse} from '@switchyard/shared/policy/runaway.ts';
import type {Resources} from '@switchyard/shared/protocol/resources.ts';
import {resourcesProtocol} from '@switchyard/shared/protocol/version.ts';
import type {Link} from '../link/link.ts';
import {attemptKey, type AttemptRef} from './attempt-state.ts';
import type {AttemptPlan} from './attempt-work.ts';

type Sampled = Resources & {readonly task: TaskId; readonly epoch: number};

/**
 * What the processes of attempts use, as this process last saw it, and what the control plane hears of it: with the
 * metrics of the machine while an agent runs, and in the record of its exit. A runner that starts over begins anew.
 */
export class ResourceDesk {
  readonly #use: (plan: AttemptPlan) => Promise<AgentUse | undefined>;
  readonly #samples = new Map<string, Sampled & {readonly isRunning: boolean}>();
  #protocol = 0;

  constructor(use: (plan: AttemptPlan) => Promise<AgentUse | undefined>) {
    this.#use = use;
  }

  /** Looks at the processes of an attempt; null where there is nothing to see. */
  async sample(plan: AttemptPlan): Promise<AgentUse | null> {
    const use = await this.#use(plan);
    if (use === undefined) return null;
    const before = this.#samples.get(attemptKey(plan));
    const [task, epoch] = [taskIdSchema.parse(plan.task), plan.epoch];
    this.#samples.set(attemptKey(plan), {
      task,
      epoch,
      isRunning: true,
      rss_bytes: use.rssBytes,
      processes: use.processes,
      // What a process used that has ended may be missing from the newest sample.
      cpu_ms: Math.max(use.cpuMs, before?.cpu_ms ?? 0),
      rss_bytes_max: Math.max(use.rssBytes, before?.rss_bytes_max ?? 0),
      processes_max: Math.max(use.processes, before?.processes_max ?? 0),
    });
    return use;
  }

  /** The agent has ended. */
  ended(of: AttemptRef): void {
    const sampled = this.#samples.get(attemptKey(of));
    if (sampled !== undefined)
      this.#samples.set(attemptKey(of), {...sampled, isRunning: false, rss_bytes: 0, processes: 0});
  }

  forget(of: AttemptRef): void {
    this.#samples.delete(attemptKey(of));
  }

  /** For the record of an exit; undefined where nothing was seen. */
  recordOf(of: AttemptRef): Resources | undefined {
    const sampled = this.#samples.get(attemptKey(of));
    if (sampled === undefined) return undefined;
    const {task: _task, epoch: _epoch, isRunning: _isRunning, ...resources} = sampled;
    return resources;
  }

  /** The same link, over which metrics also say what each attempt uses. */
  over(link: Link): Link {
    return {
      start: handlers =>
        link.start({
          ...handlers,
          onMessage: message => {
            if (message.t === 'welcome') this.#protocol = message.protocol;
            handlers.onMessage(message);
          },
        }),
      send: message => {
        const isTold = message.t === 'metrics' && this.#protocol >= resourcesProtocol;
        link.send(isTold ? {...message, attempts: this.#running()} : message);
      },
      status: () => link.status(),
      close: async () => link.close(),
    };
  }

  #running(): Sampled[] {
    return [...this.#samples.values()].flatMap(({isRunning, ...sampled}) => (isRunning ? [sampled] : []));
  }
}
