import type {AttemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {sha256Hex, toHex} from '@switchyard/shared/crypto/bytes.ts';
import {signJws, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import {attemptBranch, runnerIdSchema, type RandomBytes} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {DISPATCH_TYP, type Dispatch} from '@switchyard/shared/protocol/envelope.ts';
import type {Draft} from './draft.ts';
import type {Sql} from './sql.ts';

export type SealerParts = {
  readonly pool: string;
  readonly sql: Sql;
  /** The spec of a task that was submitted a moment ago, once. */
  readonly freshSpec: (task: string) => string | undefined;
  readonly nowMs: () => number;
  readonly randomBytes: RandomBytes;
  readonly signingKey: SigningKey;
  readonly attemptSeal: AttemptSeal;
};

/**
 * Makes the messages of one runner ready to leave: signs each offer for it, and gives each `go` the ticket of its log.
 * An offer whose time has passed, or whose task is gone, is left out: the queue has taken it back.
 */
export async function sealDrafts(
  parts: SealerParts,
  runner: string,
  drafts: readonly Draft[],
): Promise<readonly DownMessage[]> {
  const specs = specTexts(parts, drafts);
  const sealed = await Promise.all(drafts.map(async draft => seal(parts, {runner, draft, specs})));
  return sealed.filter(message => message !== undefined);
}

function specTexts(
  {sql, freshSpec}: Pick<SealerParts, 'sql' | 'freshSpec'>,
  drafts: readonly Draft[],
): ReadonlyMap<string, string> {
  const specs = new Map<string, string>();
  const tasks: string[] = [];
  for (const draft of drafts) {
    if (draft.t !== 'offer') continue;
    const fresh = freshSpec(draft.task);
    if (fresh === undefined) tasks.push(draft.task);
    else specs.set(draft.task, fresh);
  }
  if (tasks.length === 0) return specs;
  const rows = sql.all<{task: string; spec: string}>(
    'SELECT task, spec FROM task_spec WHERE task IN (SELECT value FROM json_each(?))',
    JSON.stringify(tasks),
  );
  for (const {task, spec} of rows) specs.set(task, spec);
  return specs;
}

type Sealing = {readonly runner: string; readonly draft: Draft; readonly specs: ReadonlyMap<string, string>};

async function seal(parts: SealerParts, {runner, draft, specs}: Sealing): Promise<DownMessage | undefined> {
  if (draft.t === 'go') {
    const {task, epoch, echo} = draft;
    const log_ticket = await parts.attemptSeal.ticket({pool: parts.pool, task, epoch, runner});
    return {t: 'go', task: task, epoch, echo, log_ticket};
  }
  if (draft.t !== 'offer') return draft;
  const nowMs = parts.nowMs();
  const spec = specs.get(draft.task);
  if (spec === undefined || nowMs >= draft.untilMs) return undefined;
  const {pool} = parts;
  const jti = toHex(parts.randomBytes(16));
  const payload = dispatchOf({pool, runner, nowMs, jti, spec, specSha256: await sha256Hex(spec)}, draft);
  const envelope = await signJws(parts.signingKey, {typ: DISPATCH_TYP}, payload);
  return {t: 'offer', task: payload.task, epoch: payload.epoch, envelope, expires_in_ms: draft.untilMs - nowMs};
}

export type Dispatching = {
  readonly pool: string;
  readonly runner: string;
  readonly nowMs: number;
  readonly jti: string;
  /** The spec as text, and the hash of that text. */
  readonly spec: string;
  readonly specSha256: string;
};

/** What is signed for an offer: good for one runner, one attempt and a short time. */
export function dispatchOf(
  {pool, runner, nowMs, jti, spec, specSha256}: Dispatching,
  draft: Pick<Extract<Draft, {t: 'offer'}>, 'task' | 'epoch' | 'allowance'>,
): Dispatch {
  const {task, epoch, allowance} = draft;
  const iat = Math.floor(nowMs / 1_000);
  return {
    iss: 'switchyard',
    aud: runnerIdSchema.parse(runner),
    task,
    epoch,
    pool,
    iat,
    exp: iat + Math.ceil(limits.envelopeTtlMs / 1_000),
    jti,
    spec_sha256: specSha256,
    spec,
    branch: attemptBranch(task, epoch),
    ...(allowance === undefined ? {} : {allowance}),
  };
}
