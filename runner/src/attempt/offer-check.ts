import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';
import type {Offer} from '@switchyard/shared/protocol/down.ts';
import {unaskedRefusal} from '../agent/unasked-drivers.ts';
import {checkEnvelope} from '../link/envelope-check.ts';
import {judge, type Policy} from '../state/policy-file.ts';
import {parseRepository} from '../worktree/repository-url.ts';
import type {OfferCheck} from './runner-state.ts';

/** Whether this machine takes an offer: signed for it, right now, and allowed by its own policy and its charter. */
export async function checkOffer(
  offer: Offer,
  {policy, rules, envelope}: {policy: Policy; rules: Rulebook | null; envelope: Parameters<typeof checkEnvelope>[0]},
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
    const why = judged.allowed ? unaskedRefusal(policy, rules, checked.plan.spec.agent.driver) : judged.detail;
    return why === undefined ? checked : {ok: false, code: 'policy_refused', detail: why, retryable: false};
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    return {ok: false, code: error.code, detail: error.detail, retryable: false};
  }
}
