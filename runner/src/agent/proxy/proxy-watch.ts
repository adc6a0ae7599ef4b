import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {backoffMs, failuresAfterExit} from '../../services/backoff.ts';

export const HEALTH_PATH = '/agentauth/health';

export type ProxyWatchOptions = {
  /** Where agents reach the proxy: the check takes the same way as they do. */
  readonly url: () => string;
  /** Hears of every change: why agents reach no model, or null when they do again. */
  readonly onChange: (trouble: string | null) => void;
  /** Makes the proxy anew. Asked at once where it is not well, then after growing pauses. */
  readonly heal: () => Promise<void>;
  /** Only for durations. */
  readonly nowMs: () => number;
  readonly random: () => number;
};

/**
 * Whether agents reach the proxy: asked before each start, and again and again while they run. Nothing that needs a model
 * is started or taken while they do not, and the proxy is made anew until they do.
 */
export class ProxyWatch {
  readonly #options: ProxyWatchOptions;
  #trouble: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #look: Promise<void> | undefined;
  #failures = 0;
  /** When it became well, how long it was before the trouble that there is, and when it may be made anew. */
  #wellMs: number;
  #healthyMs = 0;
  #healMs = 0;

  constructor(options: ProxyWatchOptions) {
    this.#options = options;
    this.#wellMs = options.nowMs();
  }

  /** Why agents reach no model, as far as the last check knows; null where they do. */
  get trouble(): string | null {
    return this.#trouble;
  }

  start(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    const pauseMs = this.#trouble === null ? Infinity : Math.max(0, this.#healMs - this.#options.nowMs());
    this.#timer = setTimeout(
      () => void this.check().catch(() => undefined),
      Math.min(limits.modelProxyCheckMs, pauseMs),
    );
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#look?.catch(() => undefined);
  }

  /**
   * Joins a check that is under way.
   *
   * @throws SwitchyardError executor_unavailable when the proxy does not answer as it should, in time, and was not healed
   */
  async check(): Promise<void> {
    this.#look ??= this.#lookNow().finally(() => {
      this.#look = undefined;
      // From then on the next one is counted, sooner where something is wrong.
      if (this.#timer !== undefined) this.start();
    });
    await this.#look;
  }

  async #lookNow(): Promise<void> {
    this.#tell(await proxyTrouble(this.#options.url));
    if (this.#trouble !== null && this.#isTimeToHeal()) {
      const isMade = await this.#options.heal().then(
        () => true,
        () => false,
      );
      if (isMade) this.#tell(await proxyTrouble(this.#options.url));
    }
    if (this.#trouble !== null) throw new SwitchyardError('executor_unavailable', this.#trouble);
  }

  #isTimeToHeal(): boolean {
    const {nowMs, random} = this.#options;
    if (this.#isStopped || nowMs() < this.#healMs) return false;
    this.#failures = failuresAfterExit(this.#failures, this.#healthyMs);
    this.#healthyMs = 0;
    this.#healMs = nowMs() + backoffMs(this.#failures - 1, random);
    return true;
  }

  #tell(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    const nowMs = this.#options.nowMs();
    if (trouble === null) this.#wellMs = nowMs;
    else if (this.#trouble === null) this.#healthyMs = nowMs - this.#wellMs;
    this.#trouble = trouble;
    this.#options.onChange(trouble);
  }
}

/** Why a proxy is not well; null where it is. */
export async function proxyTrouble(url: () => string): Promise<string | null> {
  try {
    const answer = await fetch(new URL(HEALTH_PATH, url()), {
      // A connection of before says nothing of whether a new one is taken.
      headers: {connection: 'close'},
      signal: AbortSignal.timeout(limits.modelProxyAnswerMs),
    });
    // Another program may have taken the port.
    const isOurs = answer.status === 200 && (await answer.text()) === HEALTHY;
    return isOurs ? null : `the model proxy of this runner is not well: it answered ${answer.status}`;
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    return `the model proxy of this runner ${isLate ? 'does not answer in time' : 'cannot be reached'}`;
  }
}

/** What a proxy that is well says. */
export const HEALTHY = '{"status":"ok"}';
