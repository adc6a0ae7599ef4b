import type {FleetRpc} from './fleet/fleet-rpc.ts';
import type {TaskLogRpc} from './tasklog/task-log-rpc.ts';

type Stub<Rpc> = Rpc & {readonly fetch: (request: Request) => Promise<Response>};
type Namespace<Rpc> = {
  readonly idFromName: (name: string) => DurableObjectId;
  readonly get: (id: DurableObjectId) => Stub<Rpc>;
};

/** Bindings of wrangler.toml, and the variables and secrets that an installation sets. */
export type Environment = {
  readonly FLEET: Namespace<FleetRpc>;
  readonly TASK_LOG: Namespace<TaskLogRpc>;
  readonly DB: D1Database;
  readonly ASSETS?: Fetcher | undefined;
  /** The process that this Worker is embedded in; undefined where it is deployed. */
  readonly EMBEDDER?: Fetcher | undefined;
  /** At least 32 random bytes, base64. Everything that is MACed hangs on it. */
  readonly SWITCHYARD_SECRET: string;
  /** JSON list of Ed25519 private JWKs with `kid`: the first signs dispatches, all are published. */
  readonly SWITCHYARD_SIGNING_KEYS: string;
  /** Shared secrets of `X-Dispatch-*` requests without a key id, separated by commas: two while one is replaced. */
  readonly DISPATCH_SECRET?: string | undefined;
  readonly DISPATCH_POOL?: string | undefined;
  /** JSON that overrides times of the lease protocol. */
  readonly SWITCHYARD_LEASE?: string | undefined;
  /** Host names that are answered, separated by commas; all of them when unset. For what listens without a router. */
  readonly SWITCHYARD_HOSTS?: string | undefined;
};
