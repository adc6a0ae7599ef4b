import {sha256Hex} from '@switchyard/shared/crypto/bytes.ts';
import {verifyJws} from '@switchyard/shared/crypto/jws.ts';
import {taskSpecSchema, type TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {Offer} from '@switchyard/shared/protocol/down.ts';
import {DISPATCH_TYP, dispatchSchema, type Dispatch} from '@switchyard/shared/protocol/envelope.ts';
import * as z from 'zod';
import type {TinyState} from './tiny-state.ts';
import type {Wrong} from './wrong.ts';

export type Checked = {readonly spec: TaskSpec} | {readonly detail: string; readonly retryable: boolean};

/** Whether an offer is what the control plane signed, for this runner and this attempt, now. */
export async function checkOffer(state: TinyState, offer: Offer, nowMs: number, wrong: Wrong): Promise<Checked> {
  const dispatch = await readEnvelope(state, offer, wrong);
  if (dispatch === undefined) return {detail: 'the envelope does not verify', retryable: false};
  if (dispatch.aud !== state.identity.runner && wrong !== 'take-what-is-for-others')
    return {detail: 'the envelope is for another runner', retryable: false};
  const isSame = dispatch.task === offer.task && dispatch.epoch === offer.epoch;
  if (!isSame && wrong !== 'believe-the-offer')
    return {detail: 'the envelope is for another attempt', retryable: false};
  if (dispatch.exp * 1_000 <= nowMs && wrong !== 'take-what-expired')
    return {detail: 'the envelope has expired', retryable: true};
  if ((await sha256Hex(dispatch.spec)) !== dispatch.spec_sha256 && wrong !== 'believe-the-spec')
    return {detail: 'the spec has another hash', retryable: false};
  return {spec: taskSpecSchema.parse(JSON.parse(dispatch.spec))};
}

async function readEnvelope({serverKeys}: TinyState, {envelope}: Offer, wrong: Wrong): Promise<Dispatch | undefined> {
  const claims = (text: string): unknown => JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
  if (wrong === 'take-any-signature') return dispatchSchema.safeParse(claims(envelope)).data;
  if (wrong === 'ignore-unknown-claims')
    return verifyJws(envelope, {typ: DISPATCH_TYP, keys: serverKeys, schema: z.object(dispatchSchema.shape)});
  return verifyJws(envelope, {typ: DISPATCH_TYP, keys: serverKeys, schema: dispatchSchema});
}
