import {randomUUID} from 'node:crypto';
import {generatePrivateJwk, importSigningKey, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import {newRunnerId, type RunnerId} from '@switchyard/shared/domain/id.ts';
import type {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {connectTokens} from '../../../runner/src/link/connect-token.ts';
import {FleetLink, type FleetLinkOptions} from '../../../runner/src/link/fleet-link.ts';
import type {FakeControlPlane} from '../../fixtures/control-plane.ts';

/** A link with ears only: what a brain would be told, kept in lists. */
export type LinkedRunner = {
  readonly link: FleetLink;
  readonly runner: RunnerId;
  readonly heard: DownMessage[];
  readonly ends: string[];
  readonly fatal: SwitchyardError[];
  readonly lines: string[];
};

export async function linkedRunner(
  plane: FakeControlPlane,
  more: Omit<Partial<FleetLinkOptions>, 'signingKey'> & {
    wallMs?: () => number;
    signingKey?: SigningKey;
    runner?: RunnerId;
  } = {},
): Promise<LinkedRunner> {
  const signingKey = more.signingKey ?? (await importSigningKey(await generatePrivateJwk()));
  const runner = more.runner ?? newRunnerId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
  const certificate = await plane.certify(runner, signingKey.publicJwk);
  const heard: DownMessage[] = [];
  const ends: string[] = [];
  const fatal: SwitchyardError[] = [];
  const lines: string[] = [];
  const {wallMs = Date.now, signingKey: _, ...rest} = more;
  const link = new FleetLink({
    url: plane.url,
    runner,
    signingKey: () => signingKey,
    tokens: connectTokens({
      key: () => ({signingKey, certificate}),
      runner,
      host: new URL(plane.url).host,
      wallMs,
      randomId: randomUUID,
    }),
    version: '0.0.0',
    bootId: 'boot',
    leaseClass: 'standard',
    random: () => 0.05,
    randomId: randomUUID,
    log: line => lines.push(line),
    ...rest,
  });
  link.start({
    hello: () => ({slots: {default: 1}, labels: ['os=linux'], inventory: [], ts: 1_000}),
    onMessage: message => heard.push(message),
    onDisconnected: why => ends.push(why),
    onFatal: error => fatal.push(error),
  });
  return {link, runner, heard, ends, fatal, lines};
}
