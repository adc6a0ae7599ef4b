import {createHash} from 'node:crypto';
import {verifyJws, type VerifyingKey} from '@switchyard/shared/crypto/jws.ts';
import {attemptBranch, type RunnerId} from '@switchyard/shared/domain/id.ts';
import type {Offer, Welcome} from '@switchyard/shared/protocol/down.ts';
import {
  DISPATCH_TYP,
  dispatchedSpecSchema,
  dispatchSchema,
  type Dispatch,
} from '@switchyard/shared/protocol/envelope.ts';
import type {OfferCheck, OfferedPlan} from '../attempt/runner-state.ts';

/** The server's time, as far as this machine can tell without believing its own wall clock. */
export type ServerTime = {readonly serverTimeMs: number; readonly seenBootMs: number};

export function serverTimeOf({
  server_time_ms: serverTimeMs,
  echo,
}: Pick<Welcome, 'server_time_ms' | 'echo'>): ServerTime {
  // Counted from when the hello left, so the estimate is never behind the server: nothing seems fresher than it is.
  return {serverTimeMs, seenBootMs: echo};
}

export type EnvelopeCheckOptions = {
  readonly runner: RunnerId;
  readonly pool: string;
  readonly keys: readonly VerifyingKey[];
  /** Null before the first welcome: then nothing can be judged and everything is refused. */
  readonly serverTime: () => ServerTime | null;
  readonly bootMs: () => number;
};

/** The server stamped its time before it travelled here: the two estimates may differ by the time of a frame. */
const issuedAheadMaxS = 30;

/**
 * Whether an offer is what the control plane signed, for this runner and this attempt, now. Nothing outside the
 * envelope is trusted; a signed field that is not known may be a restriction, so it refuses too.
 */
export async function checkEnvelope(options: EnvelopeCheckOptions, offer: Offer): Promise<OfferCheck> {
  const {keys} = options;
  const dispatch = await verifyJws(offer.envelope, {typ: DISPATCH_TYP, keys, schema: dispatchSchema});
  const verified = dispatch && {dispatch, specSha256: createHash('sha256').update(dispatch.spec).digest('hex')};
  return judgeDispatch(options, offer, verified);
}

/** The verdict on an offer whose envelope was verified, with the hash of its spec; `undefined` where it was not. */
export function judgeDispatch(
  options: Omit<EnvelopeCheckOptions, 'keys'>,
  offer: Pick<Offer, 'task' | 'epoch'>,
  verified: {readonly dispatch: Dispatch; readonly specSha256: string} | undefined,
): OfferCheck {
  if (verified === undefined)
    return refused('it is not signed by a pinned key, or holds a field that this runner does not know');
  const {dispatch, specSha256} = verified;
  const mismatch = mismatchOf(dispatch, offer, options);
  if (mismatch !== undefined) return refused(mismatch);
  const stale = staleness(dispatch, options);
  // Not the fault of the task: it is offered again with a fresh envelope.
  if (stale !== undefined)
    return {ok: false, code: 'bad_envelope', detail: `the envelope was refused: ${stale}`, retryable: true};
  if (specSha256 !== dispatch.spec_sha256) return refused('the hash of the spec is another');
  const plan = planOf(dispatch);
  return plan === undefined ? refused('its spec is not one that this runner understands') : {ok: true, plan};
}

function mismatchOf(
  {aud, pool, task, epoch, branch}: Dispatch,
  offer: Pick<Offer, 'task' | 'epoch'>,
  {runner, pool: ownPool}: Pick<EnvelopeCheckOptions, 'runner' | 'pool'>,
): string | undefined {
  if (aud !== runner) return 'it is for another runner';
  if (pool !== ownPool) return 'it is for another pool';
  if (task !== offer.task || epoch !== offer.epoch) return 'it is for another attempt than the offer';
  if (branch !== attemptBranch(task, epoch)) return 'its branch is not that of the attempt';
  return undefined;
}

function staleness(
  {iat, exp}: Dispatch,
  {serverTime, bootMs}: Pick<EnvelopeCheckOptions, 'serverTime' | 'bootMs'>,
): string | undefined {
  const known = serverTime();
  if (known === null) return 'the time of the server is not known yet';
  const nowS = (known.serverTimeMs + bootMs() - known.seenBootMs) / 1_000;
  if (exp <= nowS) return `it expired ${Math.ceil(nowS - exp)} s ago`;
  if (exp <= iat) return 'it expires before it was issued';
  if (iat > nowS + issuedAheadMaxS) return 'it was issued in the future';
  return undefined;
}

function planOf({task, epoch, branch, spec, allowance}: Dispatch): OfferedPlan | undefined {
  let json: unknown;
  try {
    json = JSON.parse(spec);
  } catch {
    return undefined;
  }
  const parsed = dispatchedSpecSchema.safeParse(json);
  return parsed.success
    ? {task, epoch, branch, spec: parsed.data, ...(allowance === undefined ? {} : {allowance})}
    : undefined;
}

function refused(why: string): OfferCheck {
  return {ok: false, code: 'bad_envelope', detail: `the envelope was refused: ${why}`, retryable: false};
}
