import {appendFileSync} from 'node:fs';

export type Moment = {readonly at: number; readonly what: string; readonly who: string; readonly detail: string};

/** What the tester did and saw, in order; also in a file at once, so that a tester that dies leaves it behind. */
export class Timeline {
  readonly #path: string;
  readonly #moments: Moment[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  note(what: string, who: string, detail: object | string = ''): void {
    const text = typeof detail === 'string' ? detail : JSON.stringify(detail);
    const moment = {at: Date.now(), what, who, detail: text};
    this.#moments.push(moment);
    appendFileSync(this.#path, `${JSON.stringify(moment)}\n`);
  }

  count(what: string): number {
    return this.#moments.filter(moment => moment.what === what).length;
  }

  /** How often each thing was done. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const {what} of this.#moments) counts[what] = (counts[what] ?? 0) + 1;
    return counts;
  }

  between(fromMs: number, toMs: number): readonly Moment[] {
    return this.#moments.filter(({at}) => at >= fromMs && at <= toMs);
  }
}
