import {createHash} from 'node:crypto';
import {setTimeout as delay} from 'node:timers/promises';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Answer, Ask} from '../driver.ts';
import type {Grant} from './grant.ts';

export type ToolResult = Pick<Extract<Answer, {kind: 'result'}>, 'text' | 'isError'>;
type Decide = (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>;
type Open = {readonly decide: Decide; readonly calls: Map<string, Promise<ToolResult>>};

const CALLS_KEPT = 200;
const never = new AbortController().signal;

const patience: ToolResult = {
  isError: true,
  text: 'There is no answer yet. Make the same call again, with the same input, to go on waiting for it.',
};
const unknown: ToolResult = {isError: true, text: 'The runner has just started over. Make the same call again.'};

/**
 * Calls of our tools that reach the runner over HTTP. Clients give up after times of their own and then call again, so a
 * call is known by its tool and its input: the same again waits for the same answer, and counts once.
 */
export class McpCalls {
  readonly #open = new Map<string, Open>();
  readonly #holdMs: number;

  constructor(holdMs: number = limits.toolCallHoldMs) {
    this.#holdMs = holdMs;
  }

  /** From now on this attempt's calls are decided here; the answer ends that. */
  offer(grant: Grant, decide: Decide): () => void {
    const open: Open = {decide, calls: new Map()};
    this.#open.set(keyOf(grant), open);
    return () => {
      if (this.#open.get(keyOf(grant)) === open) this.#open.delete(keyOf(grant));
    };
  }

  /** Answers in a time that every client waits. */
  async call(grant: Grant, tool: string, input: unknown): Promise<ToolResult> {
    const open = this.#open.get(keyOf(grant));
    if (open === undefined) return unknown;
    const letGo = new AbortController();
    const held = delay(this.#holdMs, patience, {signal: letGo.signal}).catch(() => patience);
    const result = await Promise.race([this.#answer(open, tool, input), held]);
    letGo.abort();
    return result;
  }

  #answer({decide, calls}: Open, tool: string, input: unknown): Promise<ToolResult> {
    const id = idOf(tool, input);
    const known = calls.get(id);
    if (known !== undefined) return known;
    const made = answered(decide, {kind: 'tool', id, toolCall: id, tool, input});
    calls.set(id, made);
    const [oldest] = calls.keys();
    if (calls.size > CALLS_KEPT && oldest !== undefined) calls.delete(oldest);
    // What went wrong may go well when it comes again.
    void made.then(({isError}) => isError && calls.get(id) === made && calls.delete(id));
    return made;
  }
}

async function answered(decide: Decide, ask: Ask): Promise<ToolResult> {
  const answer = await decide(ask, never).catch((): null => null);
  return answer?.kind === 'result' ? answer : {isError: true, text: 'The tool could not be called.'};
}

function idOf(tool: string, input: unknown): string {
  return `mcp-${createHash('sha256')
    .update(JSON.stringify([tool, input]))
    .digest('hex')
    .slice(0, 40)}`;
}

const keyOf = ({task, epoch}: Grant): string => `${task} e${epoch}`;
