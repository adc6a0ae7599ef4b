import {readFile} from 'node:fs/promises';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {timeoutMsOf} from '@switchyard/shared/domain/role-defaults.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import type {AgentLimits} from '@switchyard/shared/policy/runaway.ts';
import {toolProfiles, toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import {defaultEnvironmentPolicy} from '../executor/environment.ts';
import {errnoOf} from './errno.ts';

/** Patterns of repository URLs: `*` within a part of the path, `**` across parts. */
const repositoryPatterns = z
  .strictObject({
    allow: z.array(z.string().min(1).max(500)).max(1_000).default(['**']),
    deny: z.array(z.string().min(1).max(500)).max(1_000).default([]),
  })
  .prefault({});

/**
 * What the owner of this machine lets the control plane do with it. The control plane may ask for less, never for more.
 * An unknown or misspelt field is refused: a limit that is not understood must not be silently absent.
 */
export const policySchema = z.strictObject({
  version: z.literal(1),
  repositories: repositoryPatterns,
  /** Whether a task may come without a repository. */
  allow_no_repository: z.boolean().default(true),
  executors: z.array(z.string().max(40)).max(16).default(['host']),
  drivers: z.array(z.string().max(40)).max(64).default(['claude', 'codex', 'gemini', 'opencode', 'exec', 'scripted']),
  /** Drivers that work also under a charter that they cannot be held to, because their programs ask nobody: exec, scripted. */
  unasked_drivers: z.array(z.string().max(40)).max(64).default([]),
  /** The first words that a command of the exec driver or a check may have, as patterns; all when absent. */
  commands: z.strictObject({allow: z.array(z.string().min(1).max(500)).max(1_000)}).optional(),
  /** The executors whose agents may have more tools than the profile `developer`: by default only what walls them in. */
  full_access: z.array(z.string().max(40)).max(16).default(['docker', 'lima']),
  /** Names, or prefixes that end in `*`: the variables of the runner that agents see. What looks like a secret stays out. */
  environment: z
    .strictObject({allow: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*\*?$/)).max(200)})
    .default({allow: [...defaultEnvironmentPolicy.allow]}),
  /**
   * `own`: agents use the login of this machine's owner, as it is in the owner's own folder, for tasks of these
   * repositories; they have no proxy and no key, and are metered by what they say of themselves.
   */
  agents: z
    .strictObject({
      claude: z
        .strictObject({login: z.enum(['key', 'own']).default('key'), repositories: repositoryPatterns})
        .prefault({}),
    })
    .prefault({}),
  timeout_max_ms: z.int().min(1_000).max(limits.taskTimeoutMaxMs).default(limits.taskTimeoutMaxMs),
  git: z
    .strictObject({
      /** Whether attempts may fetch and push as the person who runs this machine, where the runner has no credential. */
      own_login: z.boolean().default(true),
    })
    .prefault({}),
  /** What a charter wants a person to decide. */
  approvals: z
    .strictObject({
      /** An agent that can be put off is kept waiting for so long, then it ends and waits on disk. */
      hold_ms: z.int().min(1_000).max(3_000_000).default(limits.approvalHoldMs),
      /** What nobody decided by then is rejected. */
      expires_ms: z.int().min(1_000).max(limits.approvalTtlMaxMs).default(limits.approvalTtlMs),
    })
    .prefault({}),
  /** What one attempt may do and use; the memory and the number of its processes are not limited when absent. */
  attempts: z
    .strictObject({
      memory_bytes_max: z.int().min(limits.attemptMemoryBytesMin).optional(),
      processes_max: z.int().min(1).optional(),
      tool_calls_per_minute_max: z.int().min(1).default(limits.toolCallsPerMinuteMax),
      messages_per_minute_max: z.int().min(1).default(limits.messagesPerMinuteMax),
      stall_ms: z.int().min(60_000).default(limits.agentStallMs),
      dead_air_ms: z.int().min(60_000).default(limits.agentDeadAirMs),
    })
    .prefault({}),
  slots_max: z.int().min(1).max(limits.slotsMax).default(limits.slotsMax),
});
export type Policy = z.output<typeof policySchema>;

/**
 * Without a file everything that a signed dispatch of the own pool asks for is allowed, on the host and as the user who
 * runs this: enrolling is the decision to trust the pool. `doctor` says so.
 */
export const defaultPolicy: Policy = policySchema.parse({version: 1});

/** `memory` is the narrowest of what is said, of which the policy is one. */
export function agentLimitsOf({attempts}: Policy, memory: MemoryLimit | null): AgentLimits {
  return {
    toolCallsPerMinuteMax: attempts.tool_calls_per_minute_max,
    messagesPerMinuteMax: attempts.messages_per_minute_max,
    stallMs: attempts.stall_ms,
    deadAirMs: attempts.dead_air_ms,
    memory,
    processesMax: attempts.processes_max ?? null,
  };
}

/** Throws `configuration_invalid` for a file that cannot be read or understood: then the runner must not start. */
export async function readPolicyFile(path: string): Promise<{readonly policy: Policy; readonly isDefault: boolean}> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return {policy: defaultPolicy, isDefault: true};
    throw new SwitchyardError('configuration_invalid', `the policy file ${path} cannot be read`, {cause});
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SwitchyardError('configuration_invalid', `the policy file ${path} is not JSON`, {cause});
  }
  const parsed = policySchema.safeParse(json);
  if (!parsed.success)
    throw new SwitchyardError('configuration_invalid', `the policy file ${path}: ${z.prettifyError(parsed.error)}`);
  return {policy: parsed.data, isDefault: false};
}

export type Judgement =
  | {readonly allowed: true}
  | {readonly allowed: false; readonly code: 'policy_refused'; readonly detail: string};

/** `repository` is the canonical id of the repository of the spec, or `undefined` where the spec names none. Pure. */
export function judge(policy: Policy, spec: TaskSpec, repository: string | undefined): Judgement {
  const why =
    repositoryRefusal(policy, repository) ??
    listRefusal('executor', spec.executor, policy.executors) ??
    listRefusal('driver', spec.agent.driver, policy.drivers) ??
    commandRefusal(policy, spec) ??
    accessRefusal(policy, spec) ??
    loginRefusal(policy, spec, repository) ??
    timeRefusal(policy, timeoutMsOf(spec));
  return why === undefined ? {allowed: true} : {allowed: false, code: 'policy_refused', detail: why};
}

function repositoryRefusal(policy: Policy, repository: string | undefined): string | undefined {
  if (repository === undefined)
    return policy.allow_no_repository ? undefined : 'a task without a repository is not allowed';
  return patternRefusal(policy.repositories, repository);
}

/** The login of a person goes nowhere: neither off the host, nor to work for a repository that the person does not trust. */
function loginRefusal(
  {agents}: Policy,
  {executor, agent: {driver}}: TaskSpec,
  repository: string | undefined,
): string | undefined {
  if (driver !== 'claude' || agents.claude.login !== 'own') return undefined;
  if (executor !== 'host') return 'claude uses the login of the owner of this machine, which does not leave the host';
  const why = repository === undefined ? undefined : patternRefusal(agents.claude.repositories, repository);
  return why === undefined ? undefined : `claude uses the login of the owner of this machine: for it ${why}`;
}

function patternRefusal({allow, deny}: Policy['repositories'], repository: string): string | undefined {
  if (deny.some(pattern => matches(pattern, repository))) return `the repository ${repository} is denied`;
  return allow.some(pattern => matches(pattern, repository))
    ? undefined
    : `the repository ${repository} is not allowed`;
}

function listRefusal(what: string, value: string, allowed: readonly string[]): string | undefined {
  return allowed.includes(value) ? undefined : `the ${what} ${value} is not allowed`;
}

/** An agent with the tools of a whole machine belongs where nothing else is. */
function accessRefusal({full_access: where}: Policy, {executor, agent}: TaskSpec): string | undefined {
  const usual: readonly string[] = toolProfiles.developer;
  const beyond = toolsOf(agent).find(tool => !usual.includes(tool));
  if (beyond === undefined || where.includes(executor)) return undefined;
  const line = `"full_access": ${JSON.stringify([...where, executor])}`;
  return `the tool ${beyond} is of the profile full-access, which the executor ${executor} does not allow here: its owner can write ${line} in policy.json`;
}

function timeRefusal({timeout_max_ms: maxMs}: Policy, askedMs: number): string | undefined {
  return askedMs > maxMs ? `the task may take ${askedMs} ms, at most ${maxMs} ms is allowed` : undefined;
}

function commandRefusal({commands}: Policy, spec: TaskSpec): string | undefined {
  if (commands === undefined) return undefined;
  const asked = [...(spec.agent.driver === 'exec' ? [spec.agent.command ?? []] : []), ...spec.checks];
  const refused = asked.find(([program = '']) => !isAllowedProgram(commands.allow, program));
  return refused === undefined ? undefined : `the command ${refused[0] ?? ''} is not allowed`;
}

/** A path that steps up is not where it seems to be. */
function isAllowedProgram(allow: readonly string[], program: string): boolean {
  return !program.split('/').includes('..') && allow.some(pattern => matches(pattern, program));
}

/**
 * `**` stands for anything, `*` for anything but a slash, everything else for itself. The whole text must match. The
 * time is the product of both lengths at most, whatever the text: it comes from others.
 */
export function matches(pattern: string, text: string): boolean {
  // What of the text each beginning of the pattern can have spent.
  let spent = new Set([0]);
  for (const token of pattern.match(/\*\*|[^]/g) ?? []) {
    const next = new Set<number>();
    for (const from of spent) {
      if (token !== '*' && token !== '**') {
        if (text[from] === token) next.add(from + 1);
        continue;
      }
      for (let at = from; at <= text.length && !next.has(at); at += 1) {
        next.add(at);
        if (token === '*' && text[at] === '/') break;
      }
    }
    spent = next;
  }
  return spent.has(text.length);
}
