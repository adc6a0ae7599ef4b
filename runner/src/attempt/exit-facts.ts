import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {exitRecordSchema, type AttemptResult, type ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {
  longExitProtocol,
  resourcesProtocol,
  roleProtocol,
  spendingProtocol,
} from '@switchyard/shared/protocol/version.ts';
import type {Attempt} from './attempt-state.ts';

/** What is signed, from what was observed. `undefined` until both the result and the whole log are known. */
export function exitRecordOf(attempt: Attempt): Omit<ExitRecord, 'runner'> | undefined {
  const {sealed, result} = attempt;
  if (sealed === null || result === null) return undefined;
  const end = attempt.endBootMs;
  const prompt = attempt.agentEnd?.prompt;
  const agentEnd = attempt.agentEndBootMs ?? end;
  return {
    task: attempt.task,
    epoch: attempt.epoch,
    result: boundedResult(result),
    exit_code: attempt.agentEnd?.exitCode ?? null,
    signal: attempt.agentEnd?.signal ?? null,
    log_len: sealed.length,
    log_sha256: sealed.sha256,
    log_receipt: sealed.receipt,
    log_dropped: sealed.dropped,
    git: attempt.git,
    ...(typeof prompt === 'string' ? {role: {prompt, outcome: attempt.outcome}} : {}),
    timings: {
      prepare_ms: span(attempt.goBootMs, attempt.agentStartBootMs ?? end),
      run_ms: span(attempt.agentStartBootMs, agentEnd),
      finish_ms: attempt.agentEndBootMs === null ? 0 : span(attempt.agentEndBootMs, end),
    },
  };
}

/** The record without what a control plane of this protocol would refuse it for. */
export function understoodBy(
  protocol: number,
  {role, spent, resources, ...record}: Omit<ExitRecord, 'runner'>,
): Omit<ExitRecord, 'runner'> {
  return {
    ...record,
    ...(role === undefined || protocol < roleProtocol ? {} : {role}),
    ...(spent === undefined || protocol < spendingProtocol ? {} : {spent}),
    ...(resources === undefined || protocol < resourcesProtocol ? {} : {resources}),
  };
}

/** What a control plane takes that does not know of longer records. */
const shortRecordCharacters = 65_536;
/** The header, the signature and the dots of a compact JWS. */
const jwsCharacters = 512;

/**
 * The record to sign for a control plane of this protocol: whole where it fits, else with less and less of what only
 * explains the end, because an exit that cannot be sent would be held for ever. `isPlain` begins with the least.
 * Throws where not even that is a record.
 */
export function recordToSign(
  record: ExitRecord,
  {protocol, isPlain}: {protocol: number; isPlain: boolean},
): ExitRecord {
  const charactersMax = protocol < longExitProtocol ? shortRecordCharacters : limits.exitRecordCharactersMax;
  const bytesMax = Math.floor(((charactersMax - jwsCharacters) * 3) / 4);
  const forms = formsOf(record);
  const [whole = record, ...shorter] = isPlain ? forms.slice(-1) : forms;
  const fitting = [whole, ...shorter].find(form => {
    const read = exitRecordSchema.safeParse(form);
    return read.success && utf8(JSON.stringify(read.data)).length <= bytesMax;
  });
  return exitRecordSchema.parse(fitting ?? forms.at(-1));
}

/** From the whole record to the plainest one that still says how the attempt ended and where its work is. */
function formsOf(record: ExitRecord): readonly ExitRecord[] {
  const unnamed = withoutConflicts(record);
  const unstated = unnamed.role === undefined ? unnamed : {...unnamed, role: {...unnamed.role, outcome: null}};
  const {role: _role, spent: _spent, resources: _resources, ...least} = unstated;
  const result = least.result.kind === 'succeeded' ? ({kind: 'succeeded'} as const) : least.result;
  return [record, unnamed, unstated, {...least, result}];
}

function withoutConflicts(record: ExitRecord): ExitRecord {
  const rebase = record.git?.rebase;
  if (record.git === null || rebase === undefined) return record;
  const {conflicts, conflicts_more: more} = rebase;
  return {...record, git: {...record.git, rebase: {...rebase, conflicts: [], conflicts_more: more + conflicts.length}}};
}

const resultBytesMax = 32_768;

/** An agent may say more than fits the signed record: texts are cut until it does, never the meaning. */
export function boundedResult(result: AttemptResult): AttemptResult {
  if (result.kind === 'succeeded' && result.summary !== undefined)
    return {...result, summary: bounded(result.summary, 20_000)};
  if (result.kind === 'failed') return {...result, detail: bounded(result.detail, 4_000)};
  if (result.kind === 'interrupted') return {...result, detail: bounded(result.detail, 1_000)};
  return result;
}

function bounded(text: string, charactersMax: number): string {
  let kept = text.slice(0, charactersMax);
  while (new TextEncoder().encode(JSON.stringify(kept)).length > resultBytesMax)
    kept = kept.slice(0, Math.floor(kept.length / 2));
  return kept;
}

/** A reboot in between makes the difference meaningless: then it is nothing. */
function span(from: number | null, to: number | null): number {
  return from === null || to === null ? 0 : Math.max(0, to - from);
}

/** The last line of the log, for people. */
export function closingLine({result}: Pick<Attempt, 'result'>): string {
  return result === null ? 'ended' : sentence(result);
}

function sentence(result: AttemptResult): string {
  switch (result.kind) {
    case 'succeeded':
      return 'succeeded';
    case 'failed':
      return `failed: ${result.code}: ${result.detail}`;
    case 'timed_out':
      return 'stopped: the time of the task was used up';
    case 'cancelled':
      return 'stopped: cancelled';
    case 'interrupted':
      return `stopped: ${result.detail}`;
    case 'waiting':
      return 'put off until a person has decided';
  }
}
