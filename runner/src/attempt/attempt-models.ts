import {agentEventData} from '@switchyard/shared/domain/agent-event.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {AgentLimits, AgentUse} from '@switchyard/shared/policy/runaway.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {openModelDoor, type ModelDoor} from '../agent/model-access.ts';
import type {ModelAccess, OwnLogin} from '../agent/driver.ts';
import {providersOf} from '../agent/drivers.ts';
import type {ProviderName} from '../agent/proxy/provider.ts';
import type {Link} from '../link/link.ts';
import type {ModelKeys} from '../secrets/model-keys.ts';
import type {AgentTools} from './agent-tools.ts';
import type {AttemptLoop} from './attempt-loop.ts';
import {ResourceDesk} from './resource-desk.ts';
import {runDirectoryOf} from './attempt-paths.ts';
import {attemptKey, type AttemptRef} from './attempt-state.ts';
import type {AgentEnd, AttemptPlan, AttemptWork, WorkObserver} from './attempt-work.ts';
import type {OfferCheck} from './runner-state.ts';
import {limitedResult} from '../agent/proxy/stop.ts';
import {RunawayWatch} from './runaway-watch.ts';
import {SpendingDesk} from './spending-desk.ts';

export type AttemptModelsOptions = {
  readonly stateDirectory: string;
  readonly keys: ModelKeys;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** Milliseconds of a clock that stands still while the machine sleeps: silence of a sleeper is no stall. */
  readonly awakeMs: () => number;
  readonly random: () => number;
  /** What the processes of an attempt use right now. */
  readonly use: (plan: AttemptPlan) => Promise<AgentUse | undefined>;
  /** What the agent of an attempt may do and use. */
  readonly limitsOf: (plan: AttemptPlan) => AgentLimits;
  /** Where agents of this driver find the login of this machine's owner; null where they have keys. */
  readonly ownLogin: (driver: string) => OwnLogin | null;
  readonly log: (line: string) => void;
};

/** Hands that can say a line into the log of an attempt. */
type NotingWork = AttemptWork & {readonly note: (plan: AttemptPlan, line: string) => Promise<void>};

/**
 * The way of attempts to their models, the meter on it, and what the control plane hears of it. Made before the loop that
 * it serves, and opened once there is one.
 */
export class AttemptModels {
  readonly #options: AttemptModelsOptions;
  readonly #door = Promise.withResolvers<ModelDoor>();
  readonly #desk: SpendingDesk;
  readonly #resources: ResourceDesk;
  readonly #running = new Map<string, AttemptPlan>();
  #opened: ModelDoor | undefined;
  #work: NotingWork | undefined;
  #observer: WorkObserver | undefined;

  constructor(options: AttemptModelsOptions) {
    this.#options = options;
    this.#resources = new ResourceDesk(options.use);
    this.#desk = new SpendingDesk({
      spent: async of => (await this.#door.promise).spent(of),
      warned: (of, line) => this.#note(of, line),
      log: options.log,
    });
  }

  async open(loop: Pick<AttemptLoop, 'held'>): Promise<void> {
    const {stateDirectory} = this.#options;
    const door = await openModelDoor({
      ...this.#options,
      isLive: grant => loop.held(grant) !== undefined,
      budgetOf: grant => this.#desk.budgetOf(loop.held(grant)),
      enlarge: async (grant, wanted) => this.#desk.enlarge(loop.held(grant), wanted),
      runDirectoryOf: grant => runDirectoryOf(stateDirectory, grant),
      onHealth: trouble => this.#onHealth(trouble),
    });
    this.#opened = door;
    this.#door.resolve(door);
  }

  async close(): Promise<void> {
    await (await this.#door.promise).close();
  }

  async access(plan: AttemptPlan, wanted: readonly ProviderName[]): Promise<ModelAccess | OwnLogin> {
    const login = this.#options.ownLogin(plan.spec.agent.driver);
    return login ?? (await this.#door.promise).open(plan, wanted);
  }

  #needsProxy({agent}: Pick<TaskSpec, 'agent'>): boolean {
    return providersOf(agent).length > 0 && this.#options.ownLogin(agent.driver) === null;
  }

  /** Leaves to other runners what needs a model, while agents reach none here. */
  offered(check: OfferCheck): OfferCheck {
    const trouble = this.#opened?.trouble() ?? null;
    if (!check.ok || trouble === null || !this.#needsProxy(check.plan.spec)) return check;
    return {ok: false, code: 'executor_unavailable', detail: trouble, retryable: true};
  }

  /** Our tools, as agents call them over the same way. */
  get tools(): AgentTools {
    return {
      access: async plan => (await this.#door.promise).tools(plan),
      taker: async plan => {
        const door = await this.#door.promise;
        return decide => door.takeCalls(plan, decide);
      },
    };
  }

  /** The same link, over which spending is told and answered. */
  over(link: Link): Link {
    return this.#resources.over(this.#desk.over(link));
  }

  /** What an attempt has used, for the record of its exit. */
  async recordOf(of: AttemptRef): Promise<Pick<ExitRecord, 'spent' | 'resources'>> {
    const [spent, resources] = [await this.#desk.recordOf(of), this.#resources.recordOf(of)];
    return {...(spent && {spent}), ...(resources && {resources})};
  }

  /**
   * Hands whose agents are watched: one that runs away is ended, and of those that failed the meter knows better than
   * their own words whether they were stopped by it.
   */
  metered(observer: WorkObserver, hands: (observer: WorkObserver) => NotingWork): AttemptWork {
    const watch = new RunawayWatch({
      outputBytes: plan => work.spoolLength(plan),
      modelBytes: of => this.#opened?.bytes(of) ?? 0,
      use: async plan => this.#resources.sample(plan),
      limitsOf: this.#options.limitsOf,
      nowMs: this.#options.awakeMs,
    });
    const work = hands(watch.hear(this.#listening(observer)));
    this.#work = work;
    this.#observer = observer;
    return {
      prepare: async (plan, signal) => work.prepare(plan, signal),
      run: async (plan, signal) => {
        const key = attemptKey(plan);
        this.#running.set(key, plan);
        try {
          return await this.#judged(plan, await watch.guard(plan, signal, async until => work.run(plan, until)));
        } finally {
          this.#running.delete(key);
          this.#resources.ended(plan);
        }
      },
      finish: async (plan, end, signal) => work.finish(plan, end, signal),
      stop: async (plan, graceMs) => work.stop(plan, graceMs),
      seal: async (plan, closing, signal) => work.seal(plan, closing, signal),
      clean: async plan => {
        await work.clean(plan);
        this.#resources.forget(plan);
        this.#opened?.forget(plan);
      },
      input: async (plan, message) => work.input(plan, message),
      warn: async (plan, leftMs) => work.warn(plan, leftMs),
      extend: async (plan, deadline) => work.extend(plan, deadline),
      spoolLength: plan => work.spoolLength(plan),
    };
  }

  /** An agent without the proxy is metered by what it says of itself. */
  #listening(observer: WorkObserver): WorkObserver {
    return {
      ...observer,
      agentEvent: (plan, event) => {
        observer.agentEvent(plan, event);
        if (event.kind !== 'usage_update' || this.#options.ownLogin(plan.spec.agent.driver) === null) return;
        const totals = agentEventData.usage_update.safeParse(event.data);
        if (!totals.success) return;
        this.#opened
          ?.told(plan, totals.data)
          .catch((error: unknown) => this.#options.log(`${attemptKey(plan)}: its spending was lost: ${String(error)}`));
      },
    };
  }

  /** Says it where people look at what it hurts: the runner, and each attempt whose agent needs a model. */
  #onHealth(trouble: string | null): void {
    this.#options.log(trouble ?? 'the model proxy of this runner is well again');
    for (const plan of this.#running.values()) {
      if (!this.#needsProxy(plan.spec)) continue;
      const line = trouble === null ? 'the agent reaches its model again' : `degraded: ${trouble}`;
      this.#observer?.phaseDetail(plan, line);
      this.#note(plan, line);
    }
  }

  #note(of: AttemptRef, line: string): void {
    const plan = this.#running.get(attemptKey(of));
    if (plan === undefined) return;
    this.#work
      ?.note(plan, line)
      .catch((error: unknown) => this.#options.log(`${attemptKey(of)}: the log took no line: ${String(error)}`));
  }

  async #judged(plan: AttemptPlan, end: AgentEnd): Promise<AgentEnd> {
    if (end.result?.kind !== 'failed') return end;
    const door = await this.#door.promise;
    const stopped = await door.stopped(plan);
    if (stopped !== null) return {...end, result: stopped};
    const trouble = this.#needsProxy(plan.spec) ? door.trouble() : null;
    if (trouble === null) return {...end, result: limitedResult(end.result, this.#options.wallMs())};
    // Whatever it says itself: an agent without its model has no say.
    return {...end, result: {kind: 'failed', code: 'executor_unavailable', detail: trouble, retryable: true}};
  }
}
