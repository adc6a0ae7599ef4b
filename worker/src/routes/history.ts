import {listHistory} from '@switchyard/shared/api/history-contracts.ts';
import {readHistory} from '../db/history.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

export function mountHistory(api: Api): void {
  const {database} = api.installation;
  mount(
    api,
    listHistory,
  )(async ({fleet, caller, pool, query}) => {
    // The Fleet alone knows whether the token still stands.
    unwrap(await fleet.getPool(caller));
    return {status: 200, body: await readHistory(database, pool, query)};
  });
}
