import {mkdtempSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {newTaskId, type TaskId} from '@switchyard/shared/domain/id.ts';
import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import type {Hello, UpMessage} from '@switchyard/shared/protocol/up.ts';
import {FakeControlPlane, type Peer} from '../fixtures/control-plane.ts';
import type {Line} from '../fixtures/conversation.ts';
import {goodToken, type DispatchRequest} from '../fixtures/dispatch-authority.ts';
import {AgentMarks, specOf} from './agent.ts';
import {RunnerUnderTest} from './runner-under-test.ts';

/** What the runner did and must not, or did not and must: the sentence that a report shows. */
export class Misconduct extends Error {
  override readonly name = 'Misconduct';
}

export function judge(isRight: boolean, otherwise: string): asserts isRight {
  if (!isRight) throw new Misconduct(otherwise);
}

/** A lease that no busy machine lets run out; where one must end, the scenario says so. */
export const usualConfig: LeaseConfig = {
  ttl_ms: 60_000,
  renew_ms: 500,
  grace_ms: 1_000,
  offer_ms: 5_000,
  soft_stop_ms: 2_000,
  hard_kill_ms: 500,
};

/** Short enough that a scenario sees a lease end; the renewals have room on a busy machine. */
export const shortConfig: LeaseConfig = {...usualConfig, ttl_ms: 8_000, soft_stop_ms: 1_000, hard_kill_ms: 300};

/** For anything that a runner does at once, on a machine that has other work. */
export const promptMs = 10_000;

/** What a busy machine adds to a time in which a runner must have done something. */
export const busyMs = 5_000;

/** What is watched for must be seen in this time on such a machine, if it happens at all. */
export const seenMs = 3_000;

export type Attempt = {readonly task: TaskId; readonly epoch: number; readonly marks: AgentMarks; readonly log: string};
export type Ref = Pick<Attempt, 'task' | 'epoch'>;
type Typed<Type extends UpMessage['t']> = Extract<UpMessage, {t: Type}>;
export type Heard<Type extends UpMessage['t']> = {readonly message: Typed<Type>; readonly atMs: number};

const stepMs = 5;

/** One scenario with one runner: a control plane of its own, a folder of its own, and what was said. */
export class Trial {
  readonly plane: FakeControlPlane;
  readonly runner: RunnerUnderTest;
  /** What the control plane does by itself; a scenario that wants to decide switches it off. */
  readonly answers = {accept: true, exit: true};
  /** Each wait may take so many times as long as the scenario says: there are busy machines. */
  patience = 2;
  readonly #folder: string;
  #attempts = 0;

  private constructor(plane: FakeControlPlane, folder: string, command: readonly string[]) {
    this.plane = plane;
    this.#folder = folder;
    this.runner = new RunnerUnderTest(command, {url: plane.url, token: goodToken, state: join(folder, 'state')});
    plane.hooks.onMessage = (message, peer) => this.#answer(message, peer);
  }

  static async open(command: readonly string[], config: LeaseConfig = usualConfig): Promise<Trial> {
    const plane = await FakeControlPlane.start();
    plane.config = config;
    return new Trial(plane, realpathSync(mkdtempSync(join(tmpdir(), 'conformance-'))), command);
  }

  async close(): Promise<void> {
    await this.runner.kill().catch(() => undefined);
    await this.plane.stop();
    // Agents end when their folder does; one that is being killed may still write into it.
    rmSync(this.#folder, {recursive: true, force: true, maxRetries: 20, retryDelay: 100});
  }

  get lines(): readonly Line[] {
    return this.plane.conversation.lines;
  }

  /** Starts the runner, or starts it again, and waits for its next session. */
  async connect(): Promise<Hello> {
    const before = this.plane.hellos.length;
    this.runner.start();
    return this.session(before + 1, 60_000);
  }

  /** The hello of the nth session, once it has its welcome. */
  async session(count: number, withinMs = promptMs): Promise<Hello> {
    return this.until(`session ${count} of the runner`, () => this.plane.hellos[count - 1], withinMs);
  }

  peer(): Peer {
    const {peer} = this.plane;
    judge(peer !== undefined, 'the runner has no session');
    return peer;
  }

  attempt(epoch = 1, of?: Ref): Attempt {
    const task = of?.task ?? newTaskId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
    this.#attempts += 1;
    const folder = join(this.#folder, `agent-${this.#attempts}`);
    return {task, epoch, marks: new AgentMarks(folder), log: `${task}/e${epoch}`};
  }

  async offer(
    {task, epoch, marks}: Attempt,
    agent: (folder: string) => string,
    wrong: Pick<DispatchRequest, 'claims' | 'key'> = {},
  ): Promise<void> {
    await this.plane.offer(task, epoch, specOf(agent(marks.folder)), wrong);
  }

  /** An attempt that was offered, accepted and started. */
  async running(agent: (folder: string) => string): Promise<Attempt> {
    const attempt = this.attempt();
    await this.offer(attempt, agent);
    await this.started(attempt);
    return attempt;
  }

  async started({marks}: Attempt, withinMs = promptMs): Promise<void> {
    await this.until('the agent starts', () => marks.starts > 0, withinMs);
  }

  /** The first beat of the agent and of its child. */
  async living({marks}: Attempt): Promise<void> {
    await this.until('the agent lives', () => marks.lastBeatMs !== undefined && !marks.isSilent);
  }

  /** The agent beats again from here on. */
  async livesOn({marks}: Attempt, otherwise: string): Promise<void> {
    const fromMs = Date.now();
    await this.until(`a sign of life: ${otherwise}`, () => (marks.lastBeatMs ?? 0) > fromMs);
  }

  /** Everything of this type that the runner said about this attempt, or about any. */
  said<Type extends UpMessage['t']>(type: Type, of?: Ref): readonly Heard<Type>[] {
    return this.lines.flatMap(line => {
      if (line.kind !== 'message' || line.from !== 'runner' || line.on !== 'control') return [];
      const {atMs, message} = line;
      if (message['t'] !== type) return [];
      if (of !== undefined && (message['task'] !== of.task || message['epoch'] !== of.epoch)) return [];
      return [{atMs, message: message as Typed<Type>}];
    });
  }

  /** The nth message of a type about an attempt. */
  async hear<Type extends UpMessage['t']>(
    type: Type,
    of: Ref | undefined,
    {nth = 1, withinMs = promptMs}: {nth?: number; withinMs?: number} = {},
  ): Promise<Heard<Type>> {
    const which = nth === 1 ? `\`${type}\`` : `\`${type}\` number ${nth}`;
    return this.until(`${which} from the runner`, () => this.said(type, of)[nth - 1], withinMs);
  }

  async exit(of: Ref, withinMs = promptMs * 2): Promise<ExitRecord> {
    return this.until(
      'the exit of the attempt, with a record that verifies',
      () => this.plane.exits.find(({task, epoch}) => task === of.task && epoch === of.epoch),
      withinMs,
    );
  }

  async rejected(of: Ref): Promise<Typed<'reject'>> {
    const {message} = await this.hear('reject', of);
    return message;
  }

  /** Fails with the sentence when the fact does not come in time, or the control plane refused something meanwhile. */
  async until<Fact>(
    what: string,
    fact: () => Fact | undefined | false | null,
    usualMs: number = promptMs,
  ): Promise<Fact> {
    const withinMs = usualMs * this.patience;
    for (const end = performance.now() + withinMs; ; await delay(stepMs)) {
      const known = fact();
      if (known !== undefined && known !== false && known !== null) return known;
      judge(this.plane.complaints.length === 0, `refused while awaited: ${what}`);
      if (performance.now() > end) throw new Misconduct(`awaited for ${Math.round(withinMs)} ms and not seen: ${what}`);
    }
  }

  /** Watches for a while that something does not happen. */
  async never(what: string, happens: () => boolean, forMs: number): Promise<void> {
    for (const end = performance.now() + forMs; performance.now() < end; await delay(stepMs))
      judge(!happens(), `must not happen: ${what}`);
  }

  /** The agent and its child have beaten for the last time before this moment of the clock of `performance`. */
  async deadBy({marks}: Attempt, atMs: number, why: string): Promise<void> {
    const limitMs = performance.timeOrigin + atMs;
    await this.until(`the agent is dead ${why}`, () => marks.isSilent, Math.max(0, limitMs - Date.now()) + promptMs);
    const lateMs = Math.round((marks.lastBeatMs ?? 0) - limitMs);
    judge(lateMs <= 0, `the agent must be dead ${why}; it lived ${lateMs} ms longer`);
  }

  #answer(message: UpMessage, peer: Peer): void {
    if (message.t === 'accept' && this.answers.accept) this.go(message, message.ts, peer);
    if (message.t === 'exit' && this.answers.exit) peer.send({t: 'exit_ack', task: message.task, epoch: message.epoch});
  }

  go({task, epoch}: Ref, echo: number, peer: Peer = this.peer()): void {
    peer.send({t: 'go', task, epoch, echo, log_ticket: ticketOf({task, epoch})});
  }
}

export const ticketOf = ({task, epoch}: Ref): string => `ticket-${task}-${epoch}`;
