import * as contracts from '@switchyard/shared/api/approval-contracts.ts';
import {limitsOf} from '@switchyard/shared/domain/spending.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

export function mountApprovals(api: Api): void {
  mount(
    api,
    contracts.listApprovals,
  )(async ({fleet, caller, query}) => {
    const page = unwrap(await fleet.listApprovals(caller, query));
    return {status: 200, body: {approvals: [...page.approvals], next: page.next}};
  });

  mount(
    api,
    contracts.getApproval,
  )(async ({fleet, caller, params}) => ({
    status: 200,
    body: unwrap(await fleet.getApproval(caller, params.approval)),
  }));

  mount(
    api,
    contracts.decideApproval,
  )(async ({fleet, caller, params, body}) => {
    if (body.decision === 'grant') {
      const grant = {id: params.approval, limits: limitsOf(body), forMs: body.for_ms, why: body.reason};
      return {status: 200, body: unwrap(await fleet.grantBudget(caller, grant))};
    }
    const text = body.decision === 'answer' ? body.text : body.reason;
    const decision = {id: params.approval, decision: body.decision, text};
    return {status: 200, body: unwrap(await fleet.decideApproval(caller, decision))};
  });
}
