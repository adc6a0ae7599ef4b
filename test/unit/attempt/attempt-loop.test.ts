import {expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import {AttemptLoop, type AttemptLoopOptions} from '../../../runner/src/attempt/attempt-loop.ts';
import {attemptKey, newAttempt, type Attempt} from '../../../runner/src/attempt/attempt-state.ts';
import type {AttemptWork, WorkObserver} from '../../../runner/src/attempt/attempt-work.ts';
import {eventsUnsentMax} from '../../../runner/src/attempt/reported-event.ts';
import type {Link, LinkHandlers, LinkUp} from '../../../runner/src/link/link.ts';
import type {Journal} from '../../../runner/src/state/journal.ts';
import {until} from '../../fixtures/until.ts';
import {config, specOf, taskA} from './attempt-scene.ts';

const never = async (): Promise<never> => expect.fail('the hands were moved');
const noHands: AttemptWork = {
  prepare: never,
  run: never,
  finish: never,
  stop: never,
  seal: never,
  clean: never,
  input: never,
  warn: never,
  extend: never,
  spoolLength: () => 0,
};

/** A loop on a journal of this content, with a link and hands that are played by the test. */
async function started(
  content: Partial<Journal['content']> = {},
  usedBy: AttemptLoopOptions['usedBy'] = async () => ({}),
) {
  const sent: LinkUp[] = [];
  const closed: string[] = [];
  const fatal: SwitchyardError[] = [];
  const heard = Promise.withResolvers<LinkHandlers>();
  const observed = Promise.withResolvers<WorkObserver>();
  const link: Link = {
    start: handlers => heard.resolve(handlers),
    send: message => sent.push(message),
    status: () => ({state: 'connected', transport: 'websocket', session: 's', lastEnd: null, tries: 0}),
    close: async () => {
      closed.push('link');
    },
  };
  const disk = {isFull: false};
  const journal: Journal = {
    content: {attempts: new Map(), maxEpochs: new Map(), config: null, sameBoot: true, openings: 1, ...content},
    write: () => {
      if (disk.isFull) throw new SwitchyardError('disk_full', 'the journal cannot be written');
    },
    close: () => closed.push('journal'),
  };
  const key = await importSigningKey(await generatePrivateJwk());
  const loop = new AttemptLoop({
    runner: runnerIdSchema.parse('rnr_01jd0000000000000000000001'),
    signingKey: () => key,
    journal,
    link,
    work: observer => {
      observed.resolve(observer);
      return noHands;
    },
    bootMs: () => 5_000,
    slots: 1,
    labels: [],
    checkOffer: async () => ({ok: true, plan: {task: taskA, epoch: 1, spec: specOf(), branch: 'b'}}),
    usedBy,
    metrics: async () => ({load1: 0, memory_free_bytes: 0, disk_free_bytes: 0, rss_bytes: 0}),
    log: () => undefined,
    onFatal: error => fatal.push(error),
  });
  loop.start();
  const {onMessage} = await heard.promise;
  return {loop, observer: await observed.promise, onMessage, sent, closed, fatal, disk};
}

const welcome = {
  t: 'welcome',
  session: 's',
  protocol: 1,
  server_time_ms: 0,
  config,
  verdicts: [],
  echo: 5_000,
} as const;

test('[RN28] When the journal cannot be written, no effect leaves and the loop ends', async () => {
  const {loop, onMessage, sent, closed, fatal, disk} = await started();
  onMessage({...welcome, verdicts: []});
  disk.isFull = true;
  onMessage({t: 'offer', task: taskA, epoch: 1, envelope: 'x', expires_in_ms: 1_000});
  await until('the end', () => fatal.length > 0);
  onMessage({t: 'offer', task: taskA, epoch: 2, envelope: 'x', expires_in_ms: 1_000});
  expect(fatal).toMatchObject([{code: 'disk_full'}]);
  expect(sent).toEqual([]);
  await loop.close();
  await loop.close();
  expect(closed).toEqual(['link', 'journal']);
});

test('[RN33] Of what an agent says while there is no session, the newest is told by the next one', async () => {
  const reported: Attempt = {
    ...newAttempt({task: taskA, epoch: 1, spec: specOf(), branch: 'b'}),
    state: 'reported',
    result: {kind: 'cancelled'},
    record: 'r',
  };
  const {loop, observer, onMessage, sent} = await started({attempts: new Map([[attemptKey(reported), reported]])});
  const plan = {task: taskA, epoch: 1, spec: specOf(), branch: 'b', logTicket: ''};
  for (let seq = 0; seq <= eventsUnsentMax; seq += 1) observer.agentEvent(plan, {seq, kind: 'said', data: null});
  onMessage({...welcome, verdicts: []});
  await until('the session has begun', () => sent.some(({t}) => t === 'event'));
  const told = sent.flatMap(message => (message.t === 'event' ? [message.seq] : []));
  expect([told.length, told[0], told.at(-1)]).toEqual([eventsUnsentMax, 1, eventsUnsentMax]);
  await loop.close();
});

test('[BG26] an exit that is signed before the first session since a start says what was spent', async () => {
  const spent = {...noneSpent, turns: 2, output_tokens: 40};
  const exited: Attempt = {
    ...newAttempt({task: taskA, epoch: 1, spec: specOf(), branch: 'b'}),
    state: 'exited',
    result: {kind: 'cancelled'},
    sealed: {length: 0, sha256: '0'.repeat(64), receipt: null, dropped: 0},
  };
  const {loop, sent} = await started({attempts: new Map([[attemptKey(exited), exited]])}, async () => ({spent}));
  await until('the exit', () => sent.some(({t}) => t === 'exit'));
  const exit = sent.find(message => message.t === 'exit');
  const [, payload = ''] = exit?.record.split('.') ?? [];
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({task: taskA, spent});
  await loop.close();
});
