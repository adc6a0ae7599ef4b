import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {AgentEvent, AgentLine, Answer, Ask, Driver, DriverInput, ProcessEnd, Reading} from '../agent/driver.ts';
import {LineSplitter} from './line-splitter.ts';

export type NumberedEvent = AgentEvent & {
  /** Place among the events of the attempt: reading the output again gives the same event the same number. */
  readonly seq: number;
};

/** `interrupt`: the agent leaves what it is doing for the message, where its program can be told so. */
export type MessageHow = {readonly interrupt?: boolean | undefined};

export type SessionPorts = {
  /** @throws SwitchyardError not_running when nobody reads any more */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** True for the first caller with this id in the life of the attempt, whichever process it is in. */
  readonly claim: (lineId: string) => Promise<boolean>;
  /** The ids that were claimed so far. */
  readonly claimed: () => Promise<ReadonlySet<string>>;
  /** Decides what the agent asks; may take as long as people take. */
  readonly decide: (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>;
  /** Ends a process whose work is done: its own farewell first, then signals. */
  readonly finish: () => Promise<void>;
  readonly onEvent: (event: NumberedEvent) => void;
  readonly onDecision: (ask: Ask, answer: Answer) => Promise<void>;
  /** Something that the session did for the agent broke; the attempt cannot go on. */
  readonly onFailure: (error: unknown) => void;
};

/**
 * The conversation with one agent, from the first byte of its output on, however often a runner starts over: what was
 * said is read from the output, and what the agent waits for by then is sent to it.
 */
export class AgentSession<State> {
  readonly #driver: Driver<State>;
  readonly #input: DriverInput;
  readonly #ports: SessionPorts;
  readonly #splitter = new LineSplitter();
  /** Ids of the lines that were sent, by this process or one before. */
  readonly #sent = new Set<string>();
  /** Messages that the agent takes only between its turns, and who waits for their delivery. */
  readonly #waiting = new Map<string, {readonly text: string; readonly done: PromiseWithResolvers<boolean>}>();
  /** The questions that it took up, by id: each is called off when the agent does not wait for it any more. */
  readonly #taken = new Map<string, AbortController>();
  readonly #messages = new Set<string>();
  /** Wishes to end a turn that were granted. */
  readonly #released = new Set<string>();
  #state: State;
  #seq = 0;
  #isEnding = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(driver: Driver<State>, input: DriverInput, ports: SessionPorts) {
    this.#driver = driver;
    this.#input = input;
    this.#ports = ports;
    this.#state = driver.initial;
  }

  /** Reads to the end of the output. An empty chunk says that everything written so far has been read. */
  async follow(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for (const id of await this.#ports.claimed()) this.#sent.add(id);
    for await (const chunk of chunks) {
      if (chunk.byteLength === 0) this.#act();
      else this.#fold(this.#splitter.push(chunk));
    }
    this.#fold(this.#splitter.end());
    this.#isEnding = true;
    for (const {done} of this.#waiting.values()) done.resolve(false);
  }

  /** Hands a message over; false when this agent takes none, or takes none any more. */
  async message(id: string, text: string, {interrupt = false}: MessageHow = {}): Promise<boolean> {
    const line = this.#driver.encode(this.#state, {kind: 'message', id, text});
    if (line === null || this.#isEnding) return false;
    if (line === 'later') return this.#wait(id, text);
    this.#messages.add(id);
    const isSent = await this.#send(line);
    const stop =
      interrupt && isSent ? this.#driver.encode(this.#state, {kind: 'interrupt', id: `${id}/interrupt`}) : null;
    // The agent has the message by now: it is the next that it turns to.
    if (stop !== null && stop !== 'later') await this.#send(stop);
    return isSent;
  }

  end(end: ProcessEnd): Reading {
    return this.#driver.read(this.#state, end, id => this.#sent.has(id));
  }

  #fold(lines: readonly string[]): void {
    for (const line of lines) {
      const decoded = this.#driver.decode(this.#state, line);
      this.#state = decoded.state;
      for (const event of decoded.events) this.#ports.onEvent({...event, seq: this.#seq++});
    }
  }

  /** Resolves with whether the agent was given it. The same message again waits for the same delivery. */
  async #wait(id: string, text: string): Promise<boolean> {
    const known = this.#waiting.get(id);
    if (known !== undefined) return known.done.promise;
    const done = Promise.withResolvers<boolean>();
    this.#waiting.set(id, {text, done});
    this.#act();
    return done.promise;
  }

  async #sendDue(line: AgentLine): Promise<void> {
    const isSent = await this.#send(line);
    for (const id of line.messages ?? []) {
      this.#waiting.get(id)?.done.resolve(isSent);
      this.#waiting.delete(id);
    }
  }

  #act(): void {
    const hasSent = (id: string): boolean => this.#sent.has(id);
    const waiting = [...this.#waiting].map(([id, {text}]) => ({id, text}));
    for (const line of this.#driver.due(this.#state, this.#input, {waiting, hasSent})) {
      if (this.#sent.has(line.id)) continue;
      this.#sent.add(line.id);
      this.#background(this.#sendDue(line));
    }
    if (this.#driver.isPutOff(this.#state, hasSent)) {
      this.#finish();
      return;
    }
    const asks = this.#driver.asks(this.#state);
    this.#takeUp(asks);
    for (const id of this.#messages) if (this.#driver.hasTaken(this.#state, id)) this.#messages.delete(id);
    // A message that was written but not yet read by the agent opens a turn of its own.
    const isHeld = this.#messages.size > 0 || this.#waiting.size > 0;
    if (isHeld || !this.#driver.isDone(this.#state, hasSent)) return;
    if (asks.some(({kind, id}) => kind === 'stop' && !this.#released.has(id))) return;
    this.#finish();
  }

  #finish(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#background(this.#ports.finish());
  }

  #takeUp(asks: readonly Ask[]): void {
    const open = new Set(asks.map(({id}) => id));
    for (const [id, controller] of this.#taken) if (!open.has(id)) controller.abort();
    for (const ask of asks) {
      if (this.#taken.has(ask.id)) continue;
      const controller = new AbortController();
      this.#taken.set(ask.id, controller);
      this.#background(this.#answer(ask, controller.signal));
    }
  }

  async #answer(ask: Ask, withdrawn: AbortSignal): Promise<void> {
    const answer = await this.#ports.decide(ask, withdrawn);
    if (ask.kind === 'stop' && answer.kind === 'allow') this.#released.add(ask.id);
    // The agent may have withdrawn the question meanwhile.
    const line = this.#driver.answer(this.#state, ask, answer);
    if (line === null) {
      this.#act();
      return;
    }
    await this.#ports.onDecision(ask, answer);
    this.#sent.add(line.id);
    await this.#send(line);
  }

  /** In the order of the calls. False when the agent reads no more: its end says the rest. */
  async #send({id, text, repeat}: AgentLine): Promise<boolean> {
    const before = this.#writing;
    const {promise, resolve} = Promise.withResolvers<void>();
    this.#writing = promise;
    await before;
    try {
      if (repeat === 'once' && !(await this.#ports.claim(id))) return false;
      await this.#ports.write(Buffer.from(text));
      return true;
    } catch (error) {
      if (error instanceof SwitchyardError && error.code === 'not_running') return false;
      throw error;
    } finally {
      resolve();
    }
  }

  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#ports.onFailure(error));
  }
}
