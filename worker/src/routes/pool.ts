import * as contracts from '@switchyard/shared/api/pool-contracts.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

export function mountPool(api: Api): void {
  mount(api, contracts.getPool)(async ({fleet, caller}) => ({status: 200, body: unwrap(await fleet.getPool(caller))}));

  mount(
    api,
    contracts.changePool,
  )(async ({fleet, caller, body}) => ({status: 200, body: unwrap(await fleet.changePool(caller, body))}));
}
