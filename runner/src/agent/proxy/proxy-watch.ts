import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

export const HEALTH_PATH = '/agentauth/health';

export type ProxyWatchOptions = {
  /** Where agents reach the proxy: the check takes the same way as they do. */
  readonly url: () => string;
  /** Hears of every change: why agents reach no model, or null when they do again. */
  readonly onChange: (trouble: string | null) => void;
};

/**
 * Whether agents reach the proxy: asked before each start, and again and again while they run. Nothing that needs a model
 * is started or taken while they do not.
 */
export class ProxyWatch {
  readonly #options: ProxyWatchOptions;
  #trouble: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: ProxyWatchOptions) {
    this.#options = options;
  }

  /** Why agents reach no model, as far as the last check knows; null where they do. */
  get trouble(): string | null {
    return this.#trouble;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.check()
        .catch(() => undefined)
        .finally(() => {
          if (this.#timer !== undefined) this.start();
        });
    }, limits.modelProxyCheckMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  /** @throws SwitchyardError executor_unavailable when the proxy does not answer as it should, in time */
  async check(): Promise<void> {
    const trouble = await proxyTrouble(this.#options.url);
    const isNews = trouble !== this.#trouble;
    this.#trouble = trouble;
    if (isNews) this.#options.onChange(trouble);
    if (trouble !== null) throw new SwitchyardError('executor_unavailable', trouble);
  }
}

/** Why a proxy is not well; null where it is. */
export async function proxyTrouble(url: () => string): Promise<string | null> {
  try {
    const answer = await fetch(new URL(HEALTH_PATH, url()), {signal: AbortSignal.timeout(limits.modelProxyAnswerMs)});
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
