import {repositoryName} from '@switchyard/shared/domain/repository-name.ts';
import * as contracts from '@switchyard/shared/api/budget-contracts.ts';
import {limitsOf} from '@switchyard/shared/domain/spending.ts';
import {shareOf, type Source} from '@switchyard/shared/policy/budget.ts';
import type {BudgetScope} from '../fleet/budget-row.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

export function mountBudgets(api: Api): void {
  mount(
    api,
    contracts.listBudgets,
  )(async ({fleet, caller}) => {
    const {budgets} = unwrap(await fleet.listBudgets(caller));
    return {status: 200, body: {budgets: [...budgets]}};
  });

  mount(
    api,
    contracts.putBudget,
  )(async ({fleet, caller, params, body}) => {
    const {period} = body;
    const change = {
      id: params.budget,
      period,
      scope: scopeOf(body),
      limits: shareOf(limitsOf(body), body.share_percent),
    };
    return {status: 200, body: unwrap(await fleet.putBudget(caller, change))};
  });

  mount(
    api,
    contracts.overrideBudget,
  )(async ({fleet, caller, params, body}) => {
    const change = {id: params.budget, limits: limitsOf(body), forMs: body.for_ms, why: body.why};
    return {status: 200, body: unwrap(await fleet.overrideBudget(caller, change))};
  });

  mount(
    api,
    contracts.deleteBudget,
  )(async ({fleet, caller, params}) => ({
    status: 200,
    body: unwrap(await fleet.deleteBudget(caller, params.budget)),
  }));

  mount(
    api,
    contracts.listCosts,
  )(async ({fleet, caller, query}) => {
    const {costs, ...rest} = unwrap(await fleet.listCosts(caller, query));
    return {status: 200, body: {...rest, costs: [...costs]}};
  });
}

function scopeOf({
  repository,
  agent_type,
  source,
}: {
  readonly source?: Source | undefined;
  readonly repository?: string | undefined;
  readonly agent_type?: string | undefined;
}): BudgetScope {
  if (repository !== undefined) return {scope: 'repository', target: repositoryName(repository)};
  if (source !== undefined) return {scope: 'source', target: source};
  return agent_type === undefined ? {scope: 'pool', target: null} : {scope: 'agent_type', target: agent_type};
}
