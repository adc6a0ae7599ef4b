import type {D1Migration} from '@cloudflare/vitest-plugin';
import type {Environment} from '../../worker/src/environment.ts';
import type {Fleet} from '../../worker/src/fleet/fleet.ts';
import type {TaskLog} from '../../worker/src/tasklog/task-log.ts';
import type worker from '../../worker/src/worker.ts';

declare global {
  namespace Cloudflare {
    interface Env extends Omit<Environment, 'FLEET' | 'TASK_LOG'> {
      readonly FLEET: DurableObjectNamespace<Fleet>;
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
