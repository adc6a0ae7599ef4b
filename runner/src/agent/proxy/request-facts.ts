import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {noUsage, type Usage} from './usage-reader.ts';

const bodySchema = z.looseObject({
  model: z.string().optional().catch(undefined),
  max_tokens: z.number().int().nonnegative().optional().catch(undefined),
  max_output_tokens: z.number().int().nonnegative().nullish().catch(undefined),
});

/** Bytes of JSON to a token, on the safe side of what tokenizers make of code. */
const BYTES_PER_TOKEN = 3;
/** A client asks for the most that its model can write, which is far more than it does. */
const OUTPUT_ESTIMATE_MAX = 8_192;

/** The name that a model gets which is not named in a form that a provider would take; it has no price of its own. */
const UNNAMED_MODEL = 'unnamed';

/** Which model a request is for, and what it may use, before that is known. Google has the model in the path. */
export function factsOf(path: string, body: Uint8Array): {readonly model: string; readonly estimate: Usage} {
  const read = bodySchema.safeParse(parseJson(Buffer.from(body).toString('utf8')));
  const said = read.success ? read.data : {};
  const named = /^\/v1(?:beta)?\/models\/(?<model>[^/:]+):/.exec(path)?.groups?.['model'] ?? said.model ?? '';
  const asked = read.success ? (said.max_tokens ?? said.max_output_tokens ?? OUTPUT_ESTIMATE_MAX) : 0;
  return {
    model: /^[A-Za-z0-9][A-Za-z0-9._:/@[\]-]{0,99}$/.test(named) ? named : UNNAMED_MODEL,
    estimate: {
      ...noUsage,
      input: Math.ceil(body.byteLength / BYTES_PER_TOKEN),
      output: Math.min(OUTPUT_ESTIMATE_MAX, asked),
    },
  };
}

/** Headers of a request or answer that belong to one connection only (RFC 9110, section 7.6.1). */
const hopByHop = new Set([
  'connection',
  // The body is here before the request leaves: nobody has to wait for leave to send it.
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** The token of the attempt goes no further; the length is counted anew; a compressed answer could not be metered. */
const ofTheAttempt = new Set([
  'authorization',
  'x-api-key',
  'x-goog-api-key',
  'cookie',
  'host',
  'content-length',
  'accept-encoding',
]);
/** What an answer tells of the infrastructure between, and of other sessions. */
const ofTheWay = new Set(['server', 'via', 'cf-ray', 'cf-cache-status', 'set-cookie', 'alt-svc', 'nel', 'report-to']);

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const without = (headers: Headers, names: ReadonlySet<string>): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || hopByHop.has(name) || names.has(name) ? [] : [[name, value] as const],
    ),
  );

export const forwardedHeaders = (headers: Headers): Record<string, string | string[]> => without(headers, ofTheAttempt);
export const answeredHeaders = (headers: Headers): Record<string, string | string[]> => without(headers, ofTheWay);

/** The token wherever the client of a provider puts it. */
export function tokenOf(headers: Headers): string | undefined {
  for (const name of ['x-api-key', 'x-goog-api-key'] as const) {
    const value = headers[name];
    if (typeof value === 'string') return value;
  }
  const {authorization} = headers;
  return typeof authorization === 'string'
    ? /^Bearer (?<token>\S+)$/i.exec(authorization)?.groups?.['token']
    : undefined;
}

/**
 * The provider and the path of a request, or undefined for anything that is not spelt in the one plain way: an encoded
 * separator or a dot segment could mean another path to the provider than to the allow list.
 */
export function routeOf(
  url: string,
): {readonly provider: string; readonly path: string; readonly query: string} | undefined {
  const match = /^\/(?<provider>[a-z]+)(?<path>\/[A-Za-z0-9._:@/-]*)(?<query>\?[^#\s]*)?$/.exec(url);
  const {provider, path, query = ''} = match?.groups ?? {};
  if (provider === undefined || path === undefined) return undefined;
  if (path.includes('//') || path.split('/').some(part => part === '.' || part === '..')) return undefined;
  return {provider, path, query: withoutKey(query)};
}

/** Google's clients may put the key into the query; ours goes into a header. */
function withoutKey(query: string): string {
  const kept = new URLSearchParams(query);
  kept.delete('key');
  const text = kept.toString();
  return text === '' ? '' : `?${text}`;
}
