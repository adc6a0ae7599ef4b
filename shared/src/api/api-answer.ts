import {errorCodes, isErrorCode, SwitchyardError, type ErrorCode} from '../domain/error.ts';
import {boundedText, chunksOf} from './bounded-text.ts';
import {problemSchema} from './problem.ts';
import {parseJson} from '../domain/parse-json.ts';

/** Bytes of the largest answer that is read into memory. */
const answerBytesMax = 33_554_432;

/** The body as text. Throws `unavailable` beyond `bytesMax`, 32 MiB where nobody says less. */
export async function readBounded(response: Response, bytesMax: number = answerBytesMax): Promise<string> {
  const text = await boundedText(chunksOf(response), bytesMax);
  if (text === undefined) throw new SwitchyardError('unavailable', `the answer is longer than ${bytesMax} bytes`);
  return text;
}

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/** The error that an answer states; what a proxy says in its own words becomes the code of its status. */
export function errorOf(what: string, response: Response, text: string): SwitchyardError {
  const retryAfterMs = retryAfter(response.headers.get('retry-after'));
  const body = parseJson(text);
  const problem = problemSchema.safeParse(body);
  if (problem.success) return new SwitchyardError(problem.data.code, problem.data.detail, {retryAfterMs});
  const code = codesByStatus[response.status] ?? 'internal';
  const named = typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : undefined;
  const known = named !== undefined && isErrorCode(named) ? named : code;
  return new SwitchyardError(known, `${what} answered ${response.status}${named === undefined ? '' : ` (${named})`}`, {
    retryAfterMs,
  });
}

/** Whether the same request may succeed later. */
export function mayRetry({code}: SwitchyardError): boolean {
  return errorCodes[code].retry;
}

/** Seconds only: our own server sends no dates, and a clock of another machine is not to be trusted. */
function retryAfter(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}
