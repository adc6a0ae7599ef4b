import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {newRunnerId} from '@switchyard/shared/domain/id.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import {anyTask, FakeControlPlane, type Peer} from '../../fixtures/control-plane.ts';
import {callsOf} from '../../fixtures/scripted-work.ts';
import {until} from '../../fixtures/until.ts';

const program = fileURLToPath(new URL('../../fixtures/run-attempt-loop.ts', import.meta.url));

let plane: FakeControlPlane;
let directory: string;
let child: ChildProcess | undefined;
const lines: string[] = [];

beforeEach(async () => {
  plane = await FakeControlPlane.start();
  directory = mkdtempSync(join(tmpdir(), 'switchyard-loop-'));
  lines.length = 0;
  const privateJwk = await generatePrivateJwk();
  const {publicJwk} = await importSigningKey(privateJwk);
  const runner = newRunnerId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
  const certificate = await plane.certify(runner, publicJwk);
  const setup = {privateJwk, dispatchJwk: plane.publicJwk, runner, certificate, url: plane.url};
  writeFileSync(join(directory, 'setup.json'), JSON.stringify({...setup, work: {verbMs: 60, agentMs: 250}}), {
    mode: 0o600,
  });
});
afterEach(async () => {
  await kill();
  await plane.stop();
  rmSync(directory, {recursive: true, force: true});
});

function startRunner(): void {
  child = spawn(process.execPath, [program, directory], {stdio: ['ignore', 'ignore', 'pipe']});
  child.stderr?.on('data', (chunk: Buffer) => lines.push(chunk.toString('utf8')));
}

async function kill(): Promise<void> {
  await end('SIGKILL');
}

async function end(signal: NodeJS.Signals): Promise<number | null> {
  const dying = child;
  child = undefined;
  if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return null;
  dying.kill(signal);
  const [code] = await once(dying, 'exit', {signal: AbortSignal.timeout(25_000)});
  return typeof code === 'number' ? code : null;
}

const calls = (): readonly string[] => callsOf(join(directory, 'work'));

/** What the Fleet does when nothing goes wrong. */
function answer(message: UpMessage, peer: Peer): void {
  if (message.t === 'accept')
    peer.send({t: 'go', task: message.task, epoch: message.epoch, echo: message.ts, log_ticket: 'ticket'});
  if (message.t === 'exit') peer.send({t: 'exit_ack', task: message.task, epoch: message.epoch});
}

async function idle(): Promise<void> {
  await until('cleaned', () => calls().some(line => line.startsWith('clean')));
}

/** So many renewals from now on: what was on its way before the first of them has come. */
async function renewals(count: number): Promise<void> {
  const heard = (): number => plane.received.filter(({t}) => t === 'renew').length;
  const end = heard() + count;
  await until(`${count} renewals`, () => heard() >= end);
}

test('[LK1] An attempt goes from offer to an acknowledged exit whose record verifies', async () => {
  plane.hooks.onMessage = answer;
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 1);
  await idle();
  expect(plane.complaints).toEqual([]);
  expect(calls()).toEqual([`start ${anyTask}/e1`, `clean ${anyTask}/e1`]);
  expect(plane.exits).toMatchObject([
    {
      task: anyTask,
      epoch: 1,
      result: {kind: 'succeeded', summary: 'done'},
      exit_code: 0,
      log_receipt: `receipt of ${anyTask}`,
    },
  ]);
  expect(plane.exits[0]?.timings.run_ms).toBeGreaterThan(200);
  await until(
    'renewals and metrics',
    () => plane.received.some(({t}) => t === 'renew') && plane.received.some(({t}) => t === 'metrics'),
  );
});

test('[RN24] An offer whose envelope is of another key is rejected', async () => {
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  plane.peer?.send({t: 'offer', task: anyTask, epoch: 1, envelope: 'a.b.c', expires_in_ms: 1_000});
  const reject = await until('reject', () => plane.received.find(({t}) => t === 'reject'));
  expect(reject).toMatchObject({code: 'bad_envelope', retryable: false});
  expect(calls()).toEqual([]);
});

test('[RN19] A preparation that fails is reported with its code', async () => {
  plane.hooks.onMessage = answer;
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 1, {prompt: 'no such base'});
  await idle();
  expect(plane.exits).toMatchObject([
    {result: {kind: 'failed', code: 'base_not_found', detail: 'no branch x', retryable: false}},
  ]);
  expect(calls()).toEqual([`clean ${anyTask}/e1`]);
});

test('[RN11] A cancel stops the agent and exits as cancelled', async () => {
  plane.hooks.onMessage = (message, peer) => {
    answer(message, peer);
    if (message.t === 'phase' && message.phase === 'running')
      peer.send({t: 'cancel', task: message.task, epoch: message.epoch, grace_ms: 100, reason: 'no'});
  };
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 1, {prompt: 'long'});
  await idle();
  expect(plane.exits).toMatchObject([{result: {kind: 'cancelled'}, signal: 'SIGTERM'}]);
});

test('[RN10] SIGTERM drains: what is held goes on to its end, then the process ends', async () => {
  plane.hooks.onMessage = answer;
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 1);
  await until('running', () => calls().length > 0);
  expect(await end('SIGTERM')).toBe(0);
  expect(plane.exits).toMatchObject([{result: {kind: 'succeeded'}}]);
  expect(plane.received.some(({t}) => t === 'draining')).toBe(true);
});

const moments: readonly [string, (message: UpMessage) => boolean][] = [
  ['accepted', ({t}) => t === 'accept'],
  ...(['preparing', 'running', 'finishing', 'exited'] as const).map(
    (phase): [string, (message: UpMessage) => boolean] => [
      phase,
      message => message.t === 'phase' && message.phase === phase,
    ],
  ),
  ['reported', ({t}) => t === 'exit'],
];

test.for(moments)(
  '[RN27] Killed when %s, the runner goes on: one start, and one exit that counts',
  async ([, isMoment]) => {
    let isDue = true;
    const killed = Promise.withResolvers<void>();
    plane.hooks.onMessage = (message, peer) => {
      if (isDue && isMoment(message)) {
        isDue = false;
        void kill().then(killed.resolve, killed.reject);
        return;
      }
      if (!isDue && peer !== plane.peer) return;
      answer(message, peer);
    };
    startRunner();
    await until('hello', () => plane.hellos.length > 0);
    await plane.offer(anyTask, 1);
    await killed.promise;
    startRunner();
    await idle();
    expect(calls().filter(line => line.startsWith('start'))).toEqual([`start ${anyTask}/e1`]);
    expect(plane.exits.at(-1)).toMatchObject({task: anyTask, epoch: 1, result: {kind: 'succeeded'}});
    // An exit is said again until its answer comes; once that is there, nothing more is said of it.
    const exits = (): number => plane.received.filter(({t}) => t === 'exit').length;
    await renewals(1);
    const said = exits();
    await renewals(3);
    expect(exits()).toBe(said);
    expect(plane.received.findLast(({t}) => t === 'renew')).toMatchObject({items: []});
    expect(plane.complaints).toEqual([]);
  },
);

test('[RN27] Killed after the acknowledgement, the runner cleans up and reports nothing more', async () => {
  const reporters = new Set<string>();
  const killed = Promise.withResolvers<void>();
  plane.hooks.verdict = () => 'forget';
  plane.hooks.onMessage = (message, peer) => {
    if (message.t === 'exit') {
      reporters.add(peer.session);
      void kill().then(killed.resolve, killed.reject);
    } else answer(message, peer);
  };
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 1);
  await killed.promise;
  startRunner();
  await idle();
  await renewals(1);
  expect([...reporters]).toEqual([plane.hellos[0]?.session]);
  expect(plane.hellos.at(-1)?.inventory).toMatchObject([{task: anyTask, epoch: 1, phase: 'reported'}]);
});

test('[RN2] After a restart an old offer that is played again is rejected', async () => {
  plane.hooks.onMessage = answer;
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  await plane.offer(anyTask, 3);
  await idle();
  await kill();
  const hellos = plane.hellos.length;
  startRunner();
  await until('hello', () => plane.hellos.length > hellos);
  await plane.offer(anyTask, 3);
  await until('reject', () => plane.received.some(({t}) => t === 'reject'));
  await plane.offer(anyTask, 2);
  await until('both', () => plane.received.filter(({t}) => t === 'reject').length === 2);
  expect(calls().filter(line => line.startsWith('start'))).toHaveLength(1);
});

test('[RN5] Cut off from the control plane, the attempt is fenced before its deadline and never reported', async () => {
  plane.config = {...plane.config, ttl_ms: 12_000, renew_ms: 300, soft_stop_ms: 9_000, hard_kill_ms: 9_000};
  plane.hooks.onMessage = (message, peer) => {
    if (message.t === 'accept') answer(message, peer);
  };
  startRunner();
  await until('hello', () => plane.hellos.length > 0);
  plane.stopRenewing();
  await plane.offer(anyTask, 1, {prompt: 'long', timeout_ms: 60_000});
  const begun = await until('running', () => calls().length > 0 && performance.now());
  await idle();
  expect(performance.now() - begun).toBeLessThan(plane.config.ttl_ms);
  await renewals(1);
  expect(plane.received.findLast(({t}) => t === 'renew')).toMatchObject({items: []});
  expect(plane.exits).toEqual([]);
});
