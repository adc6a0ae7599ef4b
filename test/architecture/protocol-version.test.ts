import {expect, test} from 'vitest';
import {protocolHistory, PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import {protocolDocument, protocolHash} from '../../tools/generate/protocol-schema.ts';

test('[AR11] a change of a message needs a new line in the history of the protocol', () => {
  const newest = protocolHistory.at(-1);
  expect(
    newest,
    `The wire is not the one of version ${newest?.version}. Raise PROTOCOL_VERSION and append to protocolHistory in ` +
      `shared/src/protocol/version.ts: the version, today's date, schemaHash '${protocolHash()}' and what changed.`,
  ).toMatchObject({version: PROTOCOL_VERSION, schemaHash: protocolHash()});
});

test('[AR11] the hash covers every message of both sockets', () => {
  const text = JSON.stringify(protocolDocument());
  for (const message of ['hello', 'renew', 'exit', 'offer', 'go', 'renewed', 'end', 'sealed']) {
    expect(text).toContain(`"const":"${message}"`);
  }
});

test('[AR12] versions and dates of the history only rise', () => {
  const lines: readonly {version: number; date: string; change: string}[] = protocolHistory;
  expect(lines.map(({version}) => version)).toEqual(lines.map((_, index) => index + 1));
  expect(lines.map(({date}) => date)).toEqual(lines.map(({date}) => date).toSorted());
  for (const {date, change} of lines) {
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(change).toMatch(/\.$/);
  }
});
