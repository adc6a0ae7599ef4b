import {problemSchema} from '@switchyard/shared/api/problem.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import type {SessionEnd} from './carrier.ts';

export const refusalBytesMax = 65_536;

/** Reads what a server answered in place of a session: a problem document of ours, or whatever a proxy says. */
export function refusalOf(
  status: number,
  body: string,
  headers: {readonly date: string | undefined; readonly retryAfter: string | undefined},
): SessionEnd {
  const problem = problemSchema.safeParse(parseJson(body));
  const seconds = Number(headers.retryAfter);
  return {
    kind: 'refused',
    status,
    code: problem.data?.code,
    why: problem.success ? `${problem.data.code}: ${problem.data.detail}` : `HTTP ${status}`,
    date: headers.date,
    retryAfterMs: headers.retryAfter !== undefined && Number.isFinite(seconds) ? seconds * 1_000 : undefined,
  };
}
