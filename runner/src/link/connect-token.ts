import {signJws, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {connectClaimsSchema} from '@switchyard/shared/protocol/envelope.ts';

export interface ConnectTokens {
  /** A bearer token for one connection, good for a minute. */
  issue(): Promise<string>;
  /**
   * Learns the server's time from the `Date` header of a refusal. True when our clock was wrong enough to have been the
   * reason, so that another try at once makes sense.
   */
  correct(dateHeader: string | undefined): boolean;
}

/** A key and the word of the control plane that it is this runner's. */
export type ConnectKey = {readonly signingKey: SigningKey; readonly certificate: string};

export type ConnectTokenOptions = {
  /** Asked for each token, because a runner may replace its key. */
  readonly key: () => ConnectKey;
  readonly runner: RunnerId;
  /** Host and port of the control plane. */
  readonly host: string;
  readonly wallMs: () => number;
  /** At least 64 random bits as text. */
  readonly randomId: () => string;
};

/** The `Date` header counts whole seconds and travels for a while: a smaller difference says nothing. */
const meaningfulSkewMs = 5_000;

export function connectTokens(options: ConnectTokenOptions): ConnectTokens {
  const {key, runner, host, wallMs, randomId} = options;
  let skewMs = 0;
  return {
    issue: async () => {
      const {signingKey, certificate} = key();
      const iat = Math.floor((wallMs() + skewMs) / 1_000);
      const exp = iat + limits.runnerJwtTtlMs / 1_000;
      const claims = connectClaimsSchema.parse({iss: runner, aud: host, iat, exp, jti: randomId()});
      return signJws(signingKey, {typ: 'JWT', cert: certificate}, claims);
    },
    correct: dateHeader => {
      const serverMs = Date.parse(dateHeader ?? '');
      if (Number.isNaN(serverMs)) return false;
      const seenMs = serverMs - wallMs();
      if (Math.abs(seenMs - skewMs) < meaningfulSkewMs) return false;
      skewMs = seenMs;
      return true;
    },
  };
}
