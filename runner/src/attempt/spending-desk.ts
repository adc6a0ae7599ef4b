import {ownLimits} from '@switchyard/shared/domain/spending.ts';
import {noFigures, noLimits, spendingKinds, type Figures, type Limits} from '@switchyard/shared/policy/budget.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {noneSpent, type Spent} from '@switchyard/shared/protocol/spending.ts';
import type {LinkUp, Link} from '../link/link.ts';
import {spendingProtocol} from '@switchyard/shared/protocol/version.ts';
import type {Budget} from '../agent/proxy/allowance.ts';
import {attemptKey, type Attempt, type AttemptRef} from './attempt-state.ts';

type Held = Pick<Extract<LinkUp, {t: 'spending'}>, 'task' | 'epoch'>;
type AllowanceMessage = Extract<DownMessage, {t: 'allowance'}>;

type Question = {readonly of: Held; readonly wants: Figures; readonly answered: (isAnswered: boolean) => void};

export type SpendingDeskOptions = {
  /** What an attempt has spent so far; null before its first answer of a model. */
  readonly spent: (of: AttemptRef) => Promise<Spent | null>;
  /** A budget of the team that this attempt counts for is nearly spent. */
  readonly warned: (of: AttemptRef, line: string) => void;
  readonly log: (line: string) => void;
};

/**
 * Tells the control plane what attempts spend, and asks it for more: with every renewal the totals of each attempt, and
 * when a slice of a budget is nearly spent how far it should reach. All of it may be lost or repeated: the totals of the
 * next message hold those of the last one.
 */
export class SpendingDesk {
  readonly #options: SpendingDeskOptions;
  readonly #slices = new Map<string, Limits>();
  readonly #questions = new Set<Question>();
  #link: Link | undefined;
  #protocol = 0;

  constructor(options: SpendingDeskOptions) {
    this.#options = options;
  }

  /** What holds for an attempt: the limits of its task, and its slice as the control plane last said it. */
  budgetOf(held: Pick<Attempt, 'task' | 'epoch' | 'spec' | 'allowance'> | undefined): Budget {
    if (held === undefined) return {own: noLimits, slice: noLimits};
    const {spec, allowance} = held;
    return {
      own: ownLimits(spec, {
        task: allowance?.spent_before ?? noFigures,
        session: allowance?.session_spent ?? noFigures,
      }),
      slice: this.#slices.get(attemptKey(held)) ?? allowance?.slice ?? noLimits,
    };
  }

  /** Asks until there is an answer, also over a new connection. False when there was none in time. */
  async enlarge(held: Held | undefined, wants: Figures): Promise<boolean> {
    if (held === undefined) return false;
    const of = {task: held.task, epoch: held.epoch};
    const {promise, resolve} = Promise.withResolvers<boolean>();
    const question = {of, wants, answered: resolve};
    this.#questions.add(question);
    const timer = setTimeout(() => resolve(false), limits.budgetAnswerMs);
    this.#ask(question);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(question);
    }
  }

  /** For the record of an exit; undefined where nothing was spent. */
  async recordOf(of: AttemptRef): Promise<Spent | undefined> {
    return (await this.#options.spent(of)) ?? undefined;
  }

  /** The same link, over which spending is told and answered. */
  over(link: Link): Link {
    this.#link = link;
    return {
      start: handlers =>
        link.start({
          ...handlers,
          onMessage: message => {
            this.#hear(message);
            handlers.onMessage(message);
          },
        }),
      send: message => {
        link.send(message);
        if (message.t === 'renew') for (const {task, epoch} of message.items) this.#tell({task, epoch}, null);
        if (message.t === 'exit') this.#slices.delete(attemptKey(message));
      },
      status: () => link.status(),
      close: async () => link.close(),
    };
  }

  #hear(message: DownMessage): void {
    if (message.t === 'welcome') {
      this.#protocol = message.protocol;
      for (const question of this.#questions) this.#ask(question);
    } else if (message.t === 'allowance') {
      this.#slices.set(attemptKey(message), message.slice);
      for (const question of this.#questions) if (isAnswerTo(question, message)) question.answered(true);
    } else if (message.t === 'budget_warning') {
      this.#options.warned(message, `${message.percent} percent of the budget ${message.budget} are spent`);
    } else if (message.t === 'gone' || message.t === 'exit_ack') {
      this.#slices.delete(attemptKey(message));
    }
  }

  #ask({of, wants}: Question): void {
    this.#tell(of, wants);
  }

  #tell(of: Held, wants: Figures | null): void {
    if (this.#protocol < spendingProtocol) return;
    this.#options.spent(of).then(
      spent => {
        if (spent !== null || wants !== null)
          this.#link?.send({t: 'spending', ...of, spent: spent ?? noneSpent, wants});
      },
      (error: unknown) => this.#options.log(`${attemptKey(of)}: what it spent could not be read: ${String(error)}`),
    );
  }
}

/** A later question of the same attempt asks for no less: its answer serves the earlier one. */
function isAnswerTo({of, wants}: Question, {task, epoch, wants: answered}: AllowanceMessage): boolean {
  return (
    answered !== null &&
    of.task === task &&
    of.epoch === epoch &&
    spendingKinds.every(kind => answered[kind] >= wants[kind])
  );
}
