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

export type ConnectTokenOptions = {
  readonly signingKey: SigningKey;
  readonly runner: RunnerId;
  readonly certificate: string;
  /** Host and port of the control plane. */
  readonly host: string;
  readonly wallMs: () => number;
  /** At least 64 random bits as text. */
  readonly randomId: () => string;
};

/** The `Date` header counts whole seconds and travels for a while: a smaller difference says nothing. */
const meaningfulSkewMs = 5_000;

export function connectTokens(options: ConnectTokenOptions): ConnectTokens {
  const {signingKey, runner, certificate, host, wallMs, randomId} = options;
  let skewMs = 0;
  return {
    issue: async () => {
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
