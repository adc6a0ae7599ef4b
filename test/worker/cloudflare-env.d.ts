import type {D1Migration} from '@cloudflare/vitest-plugin';
import type {Environment} from '../../worker/src/environment.ts';
import type {FleetRpc} from '../../worker/src/fleet/fleet-rpc.ts';
import type {TaskLog} from '../../worker/src/tasklog/task-log.ts';
import type worker from '../../worker/src/worker.ts';

/**
 * Answers are typed as the object gives them: the types that are derived from its methods lose what holds open JSON.
 */
type Fleets = Omit<DurableObjectNamespace, 'get'> & {
  readonly get: (id: DurableObjectId) => DurableObjectStub & FleetRpc;
};

declare global {
  namespace Cloudflare {
    interface Env extends Omit<Environment, 'FLEET' | 'TASK_LOG'> {
      readonly FLEET: Fleets;
      readonly TASK_LOG: DurableObjectNamespace<TaskLog>;
      readonly DISPATCH_SECRET: string;
      readonly DISPATCH_POOL: string;
      readonly SWITCHYARD_FUZZ_SECONDS?: string;
      readonly TEST_MIGRATIONS: D1Migration[];
    }
    interface GlobalProps {
      readonly mainModule: {readonly default: typeof worker};
    }
  }
}
