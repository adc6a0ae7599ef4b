import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Offer} from '@switchyard/shared/protocol/down.ts';
import {checkEnvelope} from '../link/envelope-check.ts';
import {judge, type Policy} from '../state/policy-file.ts';
import {parseRepository} from '../worktree/repository-url.ts';
import type {OfferCheck} from './runner-state.ts';

/** Whether this machine takes an offer: signed for it, right now, and allowed by its own policy. */
export async function checkOffer(
  offer: Offer,
  {policy, envelope}: {policy: Policy; envelope: Parameters<typeof checkEnvelope>[0]},
): Promise<OfferCheck> {
  const checked = await checkEnvelope(envelope, offer);
  if (!checked.ok) return checked;
  const {repository} = checked.plan.spec;
  try {
    const judged = judge(
      policy,
      checked.plan.spec,
      repository === undefined ? undefined : parseRepository(repository.url).id,
    );
    return judged.allowed ? checked : {ok: false, code: judged.code, detail: judged.detail, retryable: false};
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    return {ok: false, code: error.code, detail: error.detail, retryable: false};
  }
}
