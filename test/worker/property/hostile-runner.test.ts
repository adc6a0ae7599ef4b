import {concat, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {beforeAll, describe, expect, test} from 'vitest';
import {call, migrated, newPool} from '../http/api-world.ts';
import {connectToken, enrolled} from '../http/runner-world.ts';
import {openInbox} from '../socket-inbox.ts';
import {follow, frame, gzip, newLog} from '../tasklog/log-world.ts';

/** A key of a message that is long in bytes and short in characters: a close frame holds 123 bytes of reason. */
const longKey = '漢'.repeat(100);

beforeAll(migrated);

describe('a runner that breaks the protocol', () => {
  test('[PB18] is cut off, however long the reason is in bytes: control socket', async () => {
    const machine = await enrolled((await newPool()).token);
    const upgrade = {upgrade: 'websocket', 'sec-websocket-protocol': RUNNER_SUBPROTOCOL};
    const link = openInbox(await call('/v1/runner/connect', {token: await connectToken(machine), headers: upgrade}));
    await link.json();
    link.socket.send(JSON.stringify({m: [{t: 'draining', held: 0, [longKey]: 1}]}));
    expect((await link.closed()).reason).toContain('draining');
  });

  test('[PB18] is cut off, however long the reason is in bytes: log socket', async () => {
    const log = newLog();
    const runner = await log.connect(1);
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: 0, sha256: '0'.repeat(64), [longKey]: 1}));
    expect((await runner.closed()).closed).toBe(1002);
  });

  test.for([
    {name: 'bytes behind it', spoil: async (whole: Uint8Array) => concat(whole, utf8('more'))},
    {name: 'a second member', spoil: async (whole: Uint8Array) => concat(whole, await gzip(utf8('second')))},
    {name: 'nothing of its end', spoil: async (whole: Uint8Array) => whole.subarray(0, -4)},
  ])('[PB18] sends gzip with $name, and every reader reads what was acknowledged', async ({spoil}) => {
    const log = newLog();
    const runner = await log.connect(1);
    await runner.json();
    runner.socket.send(frame(0, await spoil(await gzip(utf8('line\n'.repeat(2_000)))), true));
    const answer = await runner.next();
    // Refused, or taken as a whole: nothing was stored of what was refused.
    const len = 'text' in answer ? (JSON.parse(answer.text) as {len: number}).len : 0;
    expect((await log.stored()).length).toBe(len);
    const viewer = await log.view();
    await viewer.json();
    expect(await follow(viewer, 0, len)).toEqual(await log.stored());
  });
});
