import {hashText} from './chance.ts';
import type {Fact, Seen} from './fact.ts';

const keptMax = 4_000;

/** Everything that was seen, as one number, and the last of it for people. */
export class Trace {
  hash = 0x811c9dc5;
  count = 0;
  readonly #kept: Seen[] = [];

  add(atMs: number, fact: Fact): void {
    this.count += 1;
    this.hash = hashText(shortly(fact), (this.hash ^ atMs) >>> 0);
    this.#kept.push({atMs, fact});
    if (this.#kept.length > 2 * keptMax) this.#kept.splice(0, keptMax);
  }

  last(count: number): readonly string[] {
    return this.#kept.slice(-count).map(({atMs, fact}) => `${(atMs / 1_000).toFixed(3).padStart(10)}  ${lineOf(fact)}`);
  }

  /** What was seen of one task. */
  of(task: string, count: number): readonly string[] {
    return this.#kept
      .filter(({fact}) => concerns(fact, task))
      .slice(-count)
      .map(({atMs, fact}) => `${(atMs / 1_000).toFixed(3).padStart(10)}  ${lineOf(fact)}`);
  }
}

/** Enough to tell one fact from another; cheap, because it is made for every one. */
function shortly(fact: Fact): string {
  const task = 'task' in fact ? fact.task : '';
  const epoch = 'epoch' in fact ? fact.epoch : '';
  const machine = 'machine' in fact ? fact.machine : '';
  const message = 'message' in fact ? fact.message.t : '';
  const state = fact.t === 'task' ? `${fact.after.id}${fact.after.state}${fact.after.epoch}` : '';
  return `${fact.t}${machine}${task}${epoch}${message}${state}`;
}

function lineOf(fact: Fact): string {
  const plain = JSON.stringify(fact, (name, value: unknown) => {
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (name === 'envelope' || name === 'record' || name === 'log_ticket') return '…';
    return value;
  });
  return plain.length > 400 ? `${plain.slice(0, 400)}…` : plain;
}

function concerns(fact: Fact, task: string): boolean {
  return JSON.stringify(fact, (_name, value: unknown) => (value instanceof Uint8Array ? '' : value)).includes(task);
}
