import {expect, test} from 'vitest';
import type {SessionEnd} from '../../../runner/src/link/carrier.ts';
import {firstTries, nextTry, type Ended, type Tries} from '../../../runner/src/link/reconnect.ts';

const cut: SessionEnd = {kind: 'closed', code: 1006, why: 'cut'};
const nobody: SessionEnd = {kind: 'unreachable', why: 'ECONNREFUSED'};
const ended = (end: SessionEnd, more: Partial<Ended> = {}): Ended => ({
  end,
  wasWelcome: false,
  wasStable: false,
  clockCorrected: false,
  ...more,
});

function delays(end: SessionEnd, random: number, count: number): readonly number[] {
  let tries: Tries = firstTries;
  return Array.from({length: count}, () => {
    const next = nextTry(tries, ended(end), random);
    if (next.kind === 'stop') return -1;
    tries = next.tries;
    return next.delayMs;
  });
}

test('[LK3] The window begins with a second, doubles up to half a minute, and is used whole', () => {
  expect(delays(nobody, 0.999_999, 8).map(Math.round)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
  ]);
  expect(delays(nobody, 0, 3)).toEqual([0, 0, 0]);
});

test('[LK3] A session that stood for a while begins the window anew, a short one does not', () => {
  const late: Tries = {...firstTries, count: 6};
  expect(nextTry(late, ended(cut, {wasWelcome: true, wasStable: true}), 0.5)).toMatchObject({
    delayMs: 500,
    tries: {count: 1},
  });
  expect(nextTry(late, ended(cut, {wasWelcome: true}), 0.5)).toMatchObject({delayMs: 15_000, tries: {count: 7}});
});

test('[LK6] A corrected clock means another try at once, but only once in a row', () => {
  const refused: SessionEnd = {
    kind: 'refused',
    status: 401,
    code: 'unauthorized',
    why: 'no',
    date: 'x',
    retryAfterMs: undefined,
  };
  const first = nextTry({...firstTries, count: 3}, ended(refused, {clockCorrected: true}), 0.5);
  expect(first).toMatchObject({kind: 'retry', delayMs: 0});
  const second = first.kind === 'retry' ? nextTry(first.tries, ended(refused, {clockCorrected: true}), 0.5) : first;
  expect(second.kind === 'retry' ? second.delayMs : 0).toBeGreaterThan(10_000);
});

test('[LK8] Three WebSockets that come to nothing lead to polling, which then alternates with them', () => {
  let tries: Tries = firstTries;
  const transports = Array.from({length: 6}, () => {
    const next = nextTry(tries, ended(nobody), 0);
    if (next.kind === 'retry') tries = next.tries;
    return tries.transport;
  });
  expect(transports).toEqual(['websocket', 'websocket', 'poll', 'websocket', 'poll', 'websocket']);
});

test('[LK8] A refusal in the words of the control plane is no reason to poll', () => {
  const refused: SessionEnd = {
    kind: 'refused',
    status: 401,
    code: 'unauthorized',
    why: 'no',
    date: undefined,
    retryAfterMs: undefined,
  };
  let tries: Tries = firstTries;
  for (let index = 0; index < 5; index += 1) {
    const next = nextTry(tries, ended(refused), 0);
    if (next.kind === 'retry') tries = next.tries;
  }
  expect(tries.transport).toBe('websocket');
});

test('[LK8] A poll session that was cut goes on polling, one that made room tries the WebSocket at once', () => {
  const polling: Tries = {...firstTries, transport: 'poll', socketFailures: 3};
  expect(nextTry(polling, ended(cut, {wasWelcome: true}), 0.5)).toMatchObject({tries: {transport: 'poll'}});
  const left: SessionEnd = {kind: 'left', why: 'another try'};
  expect(nextTry(polling, ended(left, {wasWelcome: true}), 0.5)).toMatchObject({
    delayMs: 0,
    tries: {transport: 'websocket'},
  });
});

test('[LK3] Retry-After is waited for', () => {
  const busy: SessionEnd = {
    kind: 'refused',
    status: 503,
    code: 'unavailable',
    why: 'busy',
    date: undefined,
    retryAfterMs: 7_000,
  };
  expect(nextTry(firstTries, ended(busy), 0.5)).toMatchObject({delayMs: 7_000});
});
