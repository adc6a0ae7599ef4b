import {isFinal} from '../executor/run-status.ts';
import type {AgentRun} from './agent-run.ts';
import type {MessageHow} from './agent-session.ts';
import type {ProgramPorts} from './program-life.ts';

const POLL_MS = 50;
const OPEN_MS_MAX = 60_000;

/**
 * Messages for the agent of one attempt, handed over in the order in which they came. One may come while the agent is
 * being started, or before a runner that starts over speaks with an agent that lives: it waits for both.
 */
export class AgentMail {
  readonly #ports: ProgramPorts;
  readonly #runDir: string;
  #hand: AgentRun['message'] | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(ports: ProgramPorts, runDir: string) {
    this.#ports = ports;
    this.#runDir = runDir;
  }

  /** From now on this process speaks with the agent. */
  open(hand: AgentRun['message']): void {
    this.#hand = hand;
  }

  /** False when the agent takes no message, or none any more. */
  async send(id: string, text: string, how: MessageHow = {}): Promise<boolean> {
    const turn = this.#turn.catch(() => undefined).then(async () => this.#opened());
    this.#turn = turn;
    await turn;
    return (await this.#hand?.(id, text, how)) === true;
  }

  /** Waits, not for ever, until the agent can be spoken to, or never will be. */
  async #opened(): Promise<void> {
    const {executor, wait} = this.#ports;
    for (let waitedMs = 0; waitedMs < OPEN_MS_MAX; waitedMs += POLL_MS) {
      const status = await executor.status(this.#runDir);
      if (isFinal(status) || (status.state === 'running' && this.#hand !== undefined)) return;
      await wait(POLL_MS);
    }
  }
}
