import * as contracts from '@switchyard/shared/api/pool-contracts.ts';
import {listQueues} from '@switchyard/shared/api/queue-contracts.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

export function mountPool(api: Api): void {
  mount(api, contracts.getPool)(async ({fleet, caller}) => ({status: 200, body: unwrap(await fleet.getPool(caller))}));

  mount(
    api,
    listQueues,
  )(async ({fleet, caller}) => {
    const {queues} = unwrap(await fleet.listQueues(caller));
    return {status: 200, body: {queues: [...queues]}};
  });

  mount(
    api,
    contracts.changePool,
  )(async ({fleet, caller, body}) => ({status: 200, body: unwrap(await fleet.changePool(caller, body))}));
}
