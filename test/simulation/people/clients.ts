import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import type {RunnerId, TaskId} from '@switchyard/shared/domain/id.ts';
import type {Caller, Outcome} from '../../../worker/src/fleet/fleet-rpc.ts';
import * as pool from '../../../worker/src/fleet/pool-calls.ts';
import * as runners from '../../../worker/src/fleet/runner-calls.ts';
import type {Service} from '../../../worker/src/fleet/service.ts';
import * as tasks from '../../../worker/src/fleet/task-calls.ts';
import {answerOf, capture, type Answer} from '../control-plane/captured-call.ts';
import type {FleetObject} from '../control-plane/fleet-object.ts';
import {sha256Of} from '../control-plane/proof.ts';
import type {Chance} from '../kernel/chance.ts';
import type {Fact} from '../kernel/fact.ts';
import type {Timeline} from '../kernel/timeline.ts';

const root: Caller = {kind: 'root'};
const timeoutMs = 4_000;

/** What the network does to one request: how many answers are lost, and whether the request arrives twice. */
export type Fate = {readonly lostRequests: number; readonly lostAnswers: number; readonly isDoubled: boolean};
const smooth: Suffered = {lostRequests: 0, lostAnswers: 0, isDoubled: false, suffered: () => undefined};

type Suffered = Fate & {readonly suffered: () => void};

type Request<Value> = {
  readonly operation: string;
  readonly key: string;
  /** `round` is 0 for the first time that it is sent. */
  readonly call: (service: Service, round: number) => Promise<Outcome<Value>>;
  readonly read: (value: Value) => {readonly ids: readonly string[]; readonly state: string};
  /** Not sent again: the operation would be done twice. */
  readonly isOnce?: boolean;
  /** No fault is meant for it. */
  readonly isSpared?: boolean;
};

/** People and programs that use the HTTP API: every request is repeated until it is answered. */
export class Clients {
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #fleet: FleetObject;
  readonly #see: (fact: Fact) => void;
  /** The task that a client was told for its key. */
  readonly tasks = new Map<string, string>();
  /** Requests without an answer so far. */
  open = 0;
  #asks = 0;
  /** What a fault has in store for the next request. */
  nextFate: Suffered | undefined;

  constructor(parts: {timeline: Timeline; chance: Chance; fleet: FleetObject; see: (fact: Fact) => void}) {
    this.#timeline = parts.timeline;
    this.#chance = parts.chance;
    this.#fleet = parts.fleet;
    this.#see = parts.see;
  }

  submit(key: string, input: Partial<TaskSpecInput>): void {
    const spec = taskSpecSchema.parse({prompt: 'do it', expect_change: false, title: key, ...input});
    const idempotency = {key, bodySha256: sha256Of(JSON.stringify(spec))};
    this.#ask(
      {
        operation: 'submit',
        key,
        call: service => tasks.submitTasks(service, root, {specs: [spec], queue: true, idempotency}),
        read: ({ids, first}) => ({ids, state: first.state}),
      },
      answer => {
        const [id] = answer.ok ? answer.value.ids : [];
        if (id !== undefined) this.tasks.set(key, id);
      },
    );
  }

  cancel(key: string, graceMs: number): void {
    const task = this.tasks.get(key);
    if (task === undefined) return;
    this.#ask({
      operation: 'cancel',
      key: task,
      call: service => tasks.cancel(service, root, {task: task as TaskId, reason: 'enough', graceMs}),
      read: ({state}) => ({ids: [task], state}),
    });
  }

  message(key: string, text: string): void {
    const task = this.tasks.get(key);
    if (task === undefined) return;
    this.#ask({
      operation: 'message',
      key: task,
      call: service => tasks.message(service, root, {task: task as TaskId, text}),
      // What is said to a task that has ended is kept by the one that goes on from it.
      read: ({seq, task: keeper}) => ({ids: [keeper], state: String(seq)}),
      isOnce: true,
    });
  }

  retry(key: string): void {
    const task = this.tasks.get(key);
    if (task === undefined) return;
    this.#ask({
      operation: 'retry',
      key: task,
      call: service => tasks.retry(service, root, task as TaskId),
      read: ({id, state}) => ({ids: [id], state}),
      isOnce: true,
    });
  }

  changePool(change: Parameters<typeof pool.changePool>[2]): void {
    this.#ask({
      operation: 'pool',
      key: JSON.stringify(change),
      call: service => pool.changePool(service, root, change),
      read: ({settings}) => ({ids: [], state: JSON.stringify(settings)}),
    });
  }

  setRunner(runner: RunnerId, to: 'drain' | 'resume' | 'revoke'): void {
    this.#ask({
      operation: to,
      key: runner,
      call: service => runners.setRunner(service, root, {runner, to}),
      read: () => ({ids: [], state: to}),
    });
  }

  enrol(
    runner: RunnerId,
    {x, labels}: {readonly x: string; readonly labels: readonly string[]},
    done: () => void,
  ): void {
    // Each time that somebody asks for a token another one is made.
    const token = (round: number): {id: string; hash: string} => ({
      id: `enrolment-${runner}-${round}`,
      hash: 'ab'.repeat(32),
    });
    const expiresAtMs = Number.MAX_SAFE_INTEGER;
    const read = (): {ids: readonly string[]; state: string} => ({ids: [], state: ''});
    const jwk = {kty: 'OKP', crv: 'Ed25519', x} as const;
    const enrolment = {runner, name: runner.slice(-6), labels, jwk};
    this.#ask(
      {
        isSpared: true,
        operation: 'enrolment',
        key: runner,
        call: (service, round) => runners.createEnrolment(service, root, {...token(round), labels: [], expiresAtMs}),
        read,
      },
      (_answer, round) =>
        this.#ask(
          {
            isSpared: true,
            operation: 'enrol',
            key: runner,
            call: service => runners.enrol(service, token(round), enrolment),
            read,
          },
          done,
        ),
    );
  }

  #ask<Value>(request: Request<Value>, done?: (answer: Answer<Value>, round: number) => void): void {
    const {operation, key} = request;
    this.#asks += 1;
    const ask = this.#asks;
    this.#see({t: 'client.asked', ask, operation, key});
    this.open += 1;
    const fate = (request.isOnce === true || request.isSpared === true ? undefined : this.nextFate) ?? smooth;
    if (fate === this.nextFate) this.nextFate = undefined;
    let isAnswered = false;
    const take = (answer: Answer<Value>, round: number): void => {
      const read = answer.ok ? request.read(answer.value) : {ids: [], state: answer.code};
      this.#see({t: 'client.answered', ask, operation, key, ok: answer.ok, ...read});
      if (isAnswered) return;
      isAnswered = true;
      this.open -= 1;
      done?.(answer, round);
    };
    const give = (round: number): void => {
      if (isAnswered) return;
      if (round > 0 && request.isOnce === true) {
        isAnswered = true;
        this.open -= 1;
        return;
      }
      const copies = round === 0 && fate.isDoubled ? 2 : 1;
      if (copies > 1) fate.suffered();
      for (let copy = 0; copy < copies; copy += 1) this.#send(request, {round, fate, take});
      this.#timeline.after(timeoutMs, () => give(round + 1));
    };
    give(0);
  }

  #send<Value>(
    request: Request<Value>,
    {round, fate, take}: {round: number; fate: Suffered; take: (answer: Answer<Value>, round: number) => void},
  ): void {
    if (round < fate.lostRequests) {
      fate.suffered();
      return;
    }
    this.#timeline.after(this.#chance.between(1, 10), () =>
      this.#fleet.run(
        capture(this.#fleet, service => request.call(service, round)),
        settled => {
          if (round < fate.lostRequests + fate.lostAnswers) {
            fate.suffered();
            return;
          }
          const answer = answerOf<Value>(settled);
          this.#timeline.after(this.#chance.between(1, 10), () => take(answer, round));
        },
      ),
    );
  }
}
