import type {ToolProfile} from '../policy/tool-profile.ts';
import type {Role} from './role.ts';

export type OlderAgent = {readonly type: Role; readonly profile: ToolProfile; readonly timeoutMs: number};

const secondMs = 1_000;

/**
 * The agents of the older provisioning engine, which has them by the columns of its board, and the one of the older
 * orchestration API that has no prompt of its own here: the role that does such work, and the tools and the time that they
 * had there.
 */
const olderAgents = {
  product_owner: ['starter', 'readonly', 300],
  project_manager: ['starter', 'readonly', 300],
  scrum_master: ['starter', 'readonly', 300],
  support: ['starter', 'readonly', 300],
  triage: ['starter', 'readonly', 180],
  architect: ['starter', 'readonly', 600],
  developer: ['coding', 'developer', 900],
  reviewer: ['reviewer', 'readonly', 300],
  healthcheck: ['verifier', 'developer', 3_600],
  qa: ['verifier', 'developer', 600],
  release: ['deployer', 'developer', 300],
} as const satisfies Readonly<Record<string, readonly [Role, ToolProfile, number]>>;

const isOlder = (name: string): name is keyof typeof olderAgents => Object.hasOwn(olderAgents, name);

/** Undefined for a name that no older system knew. Where both know a name, ask for ours first. */
export function olderAgent(name: string): OlderAgent | undefined {
  if (!isOlder(name)) return undefined;
  const [type, profile, seconds] = olderAgents[name];
  return {type, profile, timeoutMs: seconds * secondMs};
}

export const olderAgentNames: readonly string[] = Object.keys(olderAgents);
