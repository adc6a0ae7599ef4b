import {decideLogAppend} from '@switchyard/shared/domain/log-append.ts';
import fc from 'fast-check';
import {expect, test} from 'vitest';

import {
  isUploadOver,
  nextTickAtMs,
  startUpload,
  stepUpload,
  type UploadEffect,
  type UploadEvent,
  uploadPolicy,
  type UploadState,
} from '../../../runner/src/logs/log-upload.ts';

const sha256 = 'a'.repeat(64);
const kib = 1024;

/** Runs events at given times; answers with the last state and all effects. */
function play(events: readonly (readonly [nowMs: number, event: UploadEvent])[], from: UploadState = startUpload) {
  let state = from;
  const effects: UploadEffect[] = [];
  for (const [nowMs, event] of events) {
    const step = stepUpload(state, event, nowMs);
    state = step.state;
    effects.push(...step.effects);
  }
  return {state, effects};
}

function streaming(watching: number, len = 0, spool = len): UploadState {
  return play([
    [0, {kind: 'spoolGrew', length: spool}],
    [0, {kind: 'start'}],
    [0, {kind: 'connecting'}],
    [0, {kind: 'socketOpened'}],
    [0, {kind: 'greeted', len, watching}],
  ]).state;
}

test('[LG12] unwatched output waits for a full chunk or two seconds', () => {
  const early = play(
    [
      [100, {kind: 'spoolGrew', length: 40 * kib}],
      [1000, {kind: 'tick'}],
    ],
    streaming(0),
  );
  expect(early.effects).toEqual([]);
  expect(nextTickAtMs(early.state)).toBe(2100);
  expect(play([[2100, {kind: 'tick'}]], early.state).effects).toEqual([
    {kind: 'sendChunk', offset: 0, length: 40 * kib},
  ]);
  expect(play([[1100, {kind: 'spoolGrew', length: 70 * kib}]], early.state).effects).toEqual([
    {kind: 'sendChunk', offset: 0, length: 64 * kib},
  ]);
});

test('[LG12] watched output goes within 50 ms, and at once when somebody begins to watch late bytes', () => {
  const watched = play([[100, {kind: 'spoolGrew', length: 10}]], streaming(1));
  expect(nextTickAtMs(watched.state)).toBe(150);
  expect(play([[150, {kind: 'tick'}]], watched.state).effects).toEqual([{kind: 'sendChunk', offset: 0, length: 10}]);
  const unwatched = play([[100, {kind: 'spoolGrew', length: 10}]], streaming(0)).state;
  expect(play([[500, {kind: 'watching', count: 2}]], unwatched).effects).toEqual([
    {kind: 'sendChunk', offset: 0, length: 10},
  ]);
});

test('[LG12] at most a window is in flight, and it is not filled with crumbs', () => {
  const full = play([[1, {kind: 'spoolGrew', length: 1000 * kib}]], streaming(1));
  expect(full.effects).toHaveLength(4);
  expect(full.state.sent).toBe(uploadPolicy.windowBytes);
  const crumb = play([[2, {kind: 'ack', len: 100}]], full.state);
  expect(crumb.effects).toEqual([]);
  // Nothing but an answer can change anything now: no tick before the stall.
  expect(nextTickAtMs(crumb.state)).toBe(2 + uploadPolicy.stallMs);
  expect(play([[3, {kind: 'ack', len: 64 * kib}]], crumb.state).effects).toEqual([
    {kind: 'sendChunk', offset: 256 * kib, length: 64 * kib},
  ]);
});

test('[LG13] a gap rewinds once, however many frames behind it are refused', () => {
  const full = play([[1, {kind: 'spoolGrew', length: 256 * kib}]], streaming(1)).state;
  const refused = play(
    Array.from({length: 4}, (_, index) => [2 + index, {kind: 'nack', len: 64 * kib}] as const),
    full,
  );
  expect(refused.effects.filter(effect => effect.kind === 'sendChunk').map(effect => effect.offset)).toEqual([
    64 * kib,
    128 * kib,
    192 * kib,
  ]);
  // The frame that was sent again was lost again.
  const again = play([[2 + uploadPolicy.nackHoldMs, {kind: 'nack', len: 64 * kib}]], refused.state);
  expect(again.effects).toHaveLength(3);
});

test('[LG10] a task log that lost acknowledged bytes gets them again, and the acknowledged length stays', () => {
  const acked = play(
    [
      [1, {kind: 'spoolGrew', length: 900 * kib}],
      [2, {kind: 'ack', len: 256 * kib}],
    ],
    streaming(1),
  ).state;
  const closed = play(
    [
      [3, {kind: 'socketClosed', random: 0}],
      [4, {kind: 'connecting'}],
      [5, {kind: 'socketOpened'}],
    ],
    acked,
  );
  const greeted = play([[6, {kind: 'greeted', len: 10, watching: 0}]], closed.state);
  expect(greeted.effects[0]).toEqual({kind: 'sendChunk', offset: 10, length: 64 * kib});
  expect(greeted.state.sent - 10).toBeLessThanOrEqual(uploadPolicy.windowBytes);
  expect(greeted.state.acked).toBe(256 * kib);
  expect(play([[7, {kind: 'ack', len: 64 * kib}]], greeted.state).state).toMatchObject({
    acked: 256 * kib,
    known: 64 * kib,
  });
});

test('[LG11] the end follows the last byte at once, and is repeated until it is answered', () => {
  const ended = play([[1, {kind: 'ended', len: 5, sha256}]], streaming(0, 0, 5));
  expect(ended.effects.at(-1)).toEqual({kind: 'sendEnd', len: 5, sha256});
  const acked = play([[2, {kind: 'ack', len: 5}]], ended.state).state;
  const stalled = play([[2 + uploadPolicy.stallMs, {kind: 'tick'}]], acked);
  expect(stalled.effects).toEqual([{kind: 'sendEnd', len: 5, sha256}]);
  expect(play([[9000, {kind: 'sealed', len: 5, receipt: 'r'}]], stalled.state).state).toMatchObject({
    phase: 'sealed',
    receipt: 'r',
  });
});

test('[LG11] a socket that answers nothing is given up after a few repetitions', () => {
  let state = play([[0, {kind: 'spoolGrew', length: 64 * kib}]], streaming(0)).state;
  const kinds: string[] = [];
  for (let nowMs = 0; nowMs <= 3 * uploadPolicy.stallMs; nowMs += uploadPolicy.stallMs) {
    const step = stepUpload(state, {kind: 'tick'}, nowMs);
    state = step.state;
    kinds.push(...step.effects.map(effect => effect.kind));
  }
  expect(kinds).toEqual(['sendChunk', 'sendChunk', 'close']);
});

test('[LG14] delays are drawn from a window that doubles to a ceiling and starts over after a healthy connection', () => {
  let state = startUpload;
  const delays: number[] = [];
  for (let round = 0; round < 8; round++) {
    const failed = play(
      [
        [0, {kind: 'connecting'}],
        [0, {kind: 'socketClosed', random: 0.5}],
      ],
      state,
    );
    state = failed.state;
    delays.push(...failed.effects.map(effect => (effect.kind === 'connect' ? effect.afterMs : -1)));
  }
  expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  const opened = play(
    [
      [0, {kind: 'connecting'}],
      [0, {kind: 'socketOpened'}],
      [0, {kind: 'greeted', len: 0, watching: 0}],
    ],
    state,
  );
  const short = play([[100, {kind: 'socketClosed', random: 0.5}]], opened.state);
  expect(short.effects).toEqual([{kind: 'connect', afterMs: 15_000}]);
  const long = play([[uploadPolicy.healthyMs, {kind: 'socketClosed', random: 0.5}]], opened.state);
  expect(long.effects).toEqual([{kind: 'connect', afterMs: 500}]);
});

test('[LG14] a socket that does not greet in time is closed', () => {
  const opened = play([
    [0, {kind: 'start'}],
    [0, {kind: 'connecting'}],
    [7, {kind: 'socketOpened'}],
  ]).state;
  const dueMs = nextTickAtMs(opened) ?? 0;
  expect(dueMs).toBe(7 + uploadPolicy.greetingMs);
  expect(stepUpload(opened, {kind: 'tick'}, dueMs).effects).toEqual([{kind: 'close', why: 'no greeting'}]);
});

test.for([
  [{kind: 'ack', len: 6}, 'diverged'],
  [{kind: 'nack', len: 6}, 'diverged'],
  [{kind: 'sealed', len: 4, receipt: ''}, 'diverged'],
  [{kind: 'gone', why: 'newer attempt'}, 'gone'],
] as const)('[LG15] the upload ends on %o', ([event, phase]) => {
  const {state, effects} = play([[1, event]], streaming(0, 0, 5));
  expect(state.phase).toBe(phase);
  expect(effects.map(effect => effect.kind)).toEqual(['close']);
  expect(stepUpload(state, {kind: 'spoolGrew', length: 50}, 2)).toEqual({state, effects: []});
});

test('[LG15] a greeting with more than the spool has ends the upload', () => {
  expect(streaming(0, 6, 5).phase).toBe('diverged');
});

const events: fc.Arbitrary<UploadEvent> = fc.oneof(
  fc.record({kind: fc.constant('spoolGrew' as const), length: fc.nat({max: 1_000_000})}),
  fc.record({kind: fc.constant('ended' as const), len: fc.nat({max: 1_000_000}), sha256: fc.constant(sha256)}),
  fc.constantFrom<UploadEvent>({kind: 'start'}, {kind: 'connecting'}, {kind: 'socketOpened'}, {kind: 'tick'}),
  fc.record({kind: fc.constant('socketClosed' as const), random: fc.double({min: 0, max: 0.999, noNaN: true})}),
  fc.record({kind: fc.constant('greeted' as const), len: fc.nat({max: 200_000}), watching: fc.nat({max: 2})}),
  fc.record({kind: fc.constantFrom('ack' as const, 'nack' as const), len: fc.nat({max: 300_000})}),
  fc.record({kind: fc.constant('watching' as const), count: fc.nat({max: 2})}),
);

test('[LG10] whatever happens in whatever order, nothing beyond the spool is sent and no byte is left out', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({max: 6000}), events), {maxLength: 80}), steps => {
      let state = startUpload;
      let nowMs = 0;
      for (const [afterMs, event] of steps) {
        nowMs += afterMs;
        const before = state;
        const step = stepUpload(state, event, nowMs);
        state = step.state;
        expect(state.acked).toBeGreaterThanOrEqual(before.acked);
        expect(state.acked).toBeLessThanOrEqual(state.spoolBytes);
        expect(state.sent).toBeLessThanOrEqual(state.spoolBytes);
        expect(state.phase === 'streaming' && state.sent - state.known > uploadPolicy.windowBytes).toBe(false);
        const chunks = step.effects.filter(effect => effect.kind === 'sendChunk');
        for (const [index, {offset, length}] of chunks.entries()) {
          expect(length).toBeGreaterThan(0);
          expect(length).toBeLessThanOrEqual(uploadPolicy.chunkBytesMax);
          const previous = chunks[index - 1];
          // The first chunk continues what was sent, or begins where the other side says that it is.
          const starts = previous === undefined ? [before.sent, state.known] : [previous.offset + previous.length];
          expect(starts).toContain(offset);
        }
        const dueMs = nextTickAtMs(state);
        // A tick that is due must do something, or the shell would spin.
        const isDueAgain = event.kind === 'tick' && dueMs !== undefined && dueMs <= nowMs;
        expect(isDueAgain && step.effects.length === 0).toBe(false);
      }
    }),
    {numRuns: 2000},
  );
});

test('[LG11] whatever is lost, repeated or cut, the log is sealed once the faults stop', () => {
  const fault = fc.constantFrom('none', 'none', 'lose', 'repeat', 'loseAnswer', 'cut', 'forget');
  fc.assert(
    fc.property(
      fc.array(fault, {maxLength: 60}),
      fc.integer({min: 0, max: 900_000}),
      fc.nat({max: 2}),
      (faults, total, watching) => {
        const world = new World(total, watching, faults);
        for (let steps = 0; steps < 4000 && !isUploadOver(world.state); steps++) world.advance();
        expect(world.state.phase).toBe('sealed');
        expect(world.stored).toBe(total);
      },
    ),
    {numRuns: 300},
  );
});

/** A virtual task log behind a faulty network: one fault is used up by each thing that is sent. */
class World {
  state = startUpload;
  stored = 0;
  #nowMs = 0;
  #grown = 0;
  #connectAtMs: number | undefined;
  #answers: UploadEvent[] = [];
  readonly #total: number;
  readonly #watching: number;
  readonly #faults: string[];

  constructor(total: number, watching: number, faults: readonly string[]) {
    this.#total = total;
    this.#watching = watching;
    this.#faults = [...faults];
    this.#feed({kind: 'start'});
  }

  advance(): void {
    const answer = this.#answers.shift();
    if (answer !== undefined) return this.#feed(answer);
    if (this.#grown < this.#total) {
      this.#grown = Math.min(this.#total, this.#grown + 30_000);
      return this.#feed({kind: 'spoolGrew', length: this.#grown});
    }
    if (this.state.end === undefined) return this.#feed({kind: 'ended', len: this.#total, sha256});
    const dueMs = this.#connectAtMs ?? nextTickAtMs(this.state) ?? this.#nowMs;
    this.#nowMs = Math.max(this.#nowMs, dueMs);
    if (this.#connectAtMs === undefined) return this.#feed({kind: 'tick'});
    this.#connectAtMs = undefined;
    for (const kind of ['connecting', 'socketOpened'] as const) this.#feed({kind});
    this.#feed({kind: 'greeted', len: this.stored, watching: this.#watching});
  }

  #feed(event: UploadEvent): void {
    const {state, effects} = stepUpload(this.state, event, this.#nowMs);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: UploadEffect): void {
    if (effect.kind === 'connect') this.#connectAtMs = this.#nowMs + effect.afterMs;
    else if (effect.kind === 'close') this.#cut();
    else this.#send(effect);
  }

  #cut(): void {
    this.#answers = isUploadOver(this.state) ? [] : [{kind: 'socketClosed', random: 0.5}];
  }

  #send(effect: Extract<UploadEffect, {kind: 'sendChunk' | 'sendEnd'}>): void {
    const fault = this.#faults.shift() ?? 'none';
    if (fault === 'cut') return this.#cut();
    if (fault === 'forget') {
      this.stored = Math.floor(this.stored / 2);
      return this.#cut();
    }
    if (fault === 'lose') return;
    for (let times = fault === 'repeat' ? 2 : 1; times > 0; times--) {
      const answer = this.#receive(effect);
      if (fault !== 'loseAnswer') this.#answers.push(answer);
    }
  }

  #receive(effect: Extract<UploadEffect, {kind: 'sendChunk' | 'sendEnd'}>): UploadEvent {
    if (effect.kind === 'sendEnd') {
      return effect.len === this.stored
        ? {kind: 'sealed', len: effect.len, receipt: 'r'}
        : {kind: 'nack', len: this.stored};
    }
    const verdict = decideLogAppend(this.stored, {offset: effect.offset, bytes: effect.length});
    this.stored = verdict.len;
    return verdict.kind === 'nack' ? {kind: 'nack', len: verdict.len} : {kind: 'ack', len: verdict.len};
  }
}
