import {isDeepStrictEqual} from 'node:util';
import {downMessageSchema, type DownMessage} from '@switchyard/shared/protocol/down.ts';
import {specOfCommand} from './agent.ts';
import {normalise, type Normalised} from './normalise.ts';
import type {Scenario} from './scenario.ts';
import {isAboutRenewals, type Transcript, type TranscriptLine} from './transcript.ts';
import {judge, Misconduct, ticketOf, type Attempt, type Trial} from './trial.ts';

/** What the fake control plane says by itself; everything else that a server does stands in the transcript. */
const automatic: ReadonlySet<string> = new Set(['challenge', 'welcome', 'renewed', 'state', 'ack', 'nack', 'sealed']);

const stepMs = 30_000;
const pollMs = 60_000;

/** Plays the server's part of a recorded conversation to a runner; the runner must play the other one. */
export function replayOf({header, lines}: Transcript): Scenario {
  return {
    id: `replay-${header.transcript}`,
    rule: `${header.says} The recorded conversation, played again, is the same.`,
    config: header.config,
    run: async trial => {
      trial.answers.accept = false;
      trial.answers.exit = false;
      if (!header.sockets)
        trial.plane.hooks.intercept = ({headers}) => (headers.upgrade === undefined ? undefined : {status: 502});
      const player = new Player(trial, {header, lines});
      await trial.connect();
      for (const [index, line] of lines.entries())
        if (isAct(line)) {
          await player.until(lines.slice(0, index));
          await player.act(line);
        }
      await player.until(lines);
    },
  };
}

function isAct({from, does, message}: TranscriptLine): boolean {
  if (does !== undefined) return from !== 'runner';
  return from === 'server' && !automatic.has(String(message?.['t']));
}

class Player {
  readonly #trial: Trial;
  readonly #transcript: Transcript;
  readonly #attempts = new Map<string, Attempt>();

  constructor(trial: Trial, transcript: Transcript) {
    this.#trial = trial;
    this.#transcript = transcript;
  }

  /** Waits until everything of these lines was said, each channel in its order. */
  async until(expected: readonly TranscriptLine[]): Promise<void> {
    const withinMs = this.#transcript.header.sockets ? stepMs : pollMs;
    try {
      await this.#trial.until(
        'the conversation',
        () => differenceOf(expected, this.#said().lines) === undefined,
        withinMs,
      );
    } catch (error) {
      if (!(error instanceof Misconduct)) throw error;
      throw new Misconduct(differenceOf(expected, this.#said().lines) ?? error.message);
    }
  }

  async act({from, does, detail, message = {}}: TranscriptLine): Promise<void> {
    const peer = this.#trial.peer();
    if (from === 'network') {
      for (const door of this.#trial.plane.logs.doors) door.cut();
      peer.cut();
    } else if (does === 'closes') peer.close(Number(detail));
    else if (message['t'] === 'offer') await this.#offer(String(message['task']), Number(message['epoch']));
    else peer.send(this.#meant(message));
  }

  async #offer(name: string, epoch: number): Promise<void> {
    const before = this.#attempts.get(name);
    const attempt = this.#trial.attempt(epoch, before);
    this.#attempts.set(name, attempt);
    await this.#trial.plane.offer(attempt.task, epoch, specOfCommand(this.#transcript.header.command));
  }

  /** The message with what its names stand for here. */
  #meant(message: Readonly<Record<string, unknown>>): DownMessage {
    const {values} = this.#said();
    const meant = Object.entries(message).map(([field, value]) => {
      if (value === '$any') return [field, 'as recorded'];
      if (field === 'log_ticket') return [field, ticketOf(this.#attemptOf(message))];
      return [field, typeof value === 'string' ? (values.get(value) ?? value) : value];
    });
    return downMessageSchema.parse(Object.fromEntries(meant));
  }

  #attemptOf({task}: Readonly<Record<string, unknown>>): Attempt {
    const attempt = this.#attempts.get(String(task));
    judge(attempt !== undefined, `the transcript names ${String(task)} before it is offered`);
    return attempt;
  }

  #said(): Normalised {
    return normalise(this.#trial.lines, {keepsRenewals: isAboutRenewals(this.#transcript.header)});
  }
}

/** The first line that is not as expected, in words; undefined when all came so far, each channel for itself. */
export function differenceOf(expected: readonly TranscriptLine[], said: readonly TranscriptLine[]): string | undefined {
  for (const on of new Set(expected.map(line => line.on))) {
    const awaited = expected.filter(line => line.on === on && line.may === undefined);
    const came = said.filter(line => line.on === on && line.may === undefined);
    for (const [index, line] of awaited.entries()) {
      const other = came[index];
      if (other !== undefined && isSame(line, other)) continue;
      return `${on}: expected ${shown(line)} and ${other === undefined ? 'nothing came' : `got ${shown(other)}`}`;
    }
  }
  return undefined;
}

/** Numbers and what must come before are of the whole; the rest is of the line. */
function isSame(left: TranscriptLine, right: TranscriptLine): boolean {
  return isDeepStrictEqual(contentOf(left), contentOf(right));
}

const contentOf = ({n: _n, after: _after, ...content}: TranscriptLine): object => content;

function shown(line: TranscriptLine): string {
  const {message, frame, does, from} = line;
  return `${from} ${JSON.stringify(message ?? frame ?? does)}`;
}
