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
  // Seconds only: our own server sends no dates.
  const seconds = /^\d{1,6}$/.exec(headers.retryAfter ?? '')?.[0];
  return {
    kind: 'refused',
    status,
    code: problem.data?.code,
    why: problem.success ? `${problem.data.code}: ${problem.data.detail}` : `HTTP ${status}`,
    date: headers.date,
    retryAfterMs: seconds === undefined ? undefined : Number(seconds) * 1_000,
  };
}
