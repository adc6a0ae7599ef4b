import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {Agent as HttpsAgent, request as httpsRequest} from 'node:https';
import {pipeline} from 'node:stream/promises';
import {Transform} from 'node:stream';
import {answeredHeaders, forwardedHeaders} from './request-facts.ts';
import type {RefusedAnswer} from './usage-limit.ts';
import {noUsage, UsageReader, type Usage} from './usage-reader.ts';

export type Forwarded = {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
  readonly url: URL;
  readonly key: {readonly header: string; readonly value: string};
  /** Hears of every piece of the answer. */
  readonly onBytes: (count: number) => void;
};

export type Outcome = {
  readonly status: number;
  readonly usage: Usage;
  /** What the provider said where it refused. */
  readonly refused: RefusedAnswer | null;
};

const agents = {http: new HttpAgent({keepAlive: true}), https: new HttpsAgent({keepAlive: true})};

/** The refusal of a provider is short; of a longer one the beginning is enough. */
const REFUSAL_BYTES_MAX = 16_384;

/** A model that thinks sends pings; one that is silent for longer is gone. */
const SILENCE_MS_MAX = 600_000;

/**
 * Passes one request on and its answer back, byte for byte as it comes, and reads the tokens on the way. Resolves when the
 * answer has gone, also when the agent left before: what was used by then counts.
 *
 * @throws the error of the connection when the provider gave no answer at all
 */
export async function forward(request: Forwarded, response: ServerResponse): Promise<Outcome> {
  const upstream = await answerOf(request, response);
  const status = upstream.statusCode ?? 502;
  response.writeHead(status, answeredHeaders(upstream.headers));
  // At once, also for an answer whose first byte is a long way off.
  response.flushHeaders();
  const reader = new UsageReader(upstream.headers['content-type']);
  const isRefused = status >= 400;
  let refusal = Buffer.alloc(0);
  const meter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      request.onBytes(chunk.byteLength);
      if (!isRefused) reader.push(chunk);
      else if (refusal.byteLength < REFUSAL_BYTES_MAX) refusal = Buffer.concat([refusal, chunk]);
      done(null, chunk);
    },
  });
  try {
    await pipeline(upstream, meter, response);
  } catch {
    // The agent or the provider broke off; the other side sees its connection end.
    response.destroy();
  }
  return isRefused
    ? {status, usage: noUsage, refused: {status, headers: upstream.headers, text: refusal.toString('utf8')}}
    : {status, usage: reader.end(), refused: null};
}

function answerOf(request: Forwarded, response: ServerResponse): Promise<IncomingMessage> {
  const {promise, resolve, reject} = Promise.withResolvers<IncomingMessage>();
  const outgoing = open(request, resolve);
  outgoing.setTimeout(SILENCE_MS_MAX, () => outgoing.destroy(new Error('the provider was silent for too long')));
  outgoing.on('error', reject);
  // Also without an error: a provider that would speak another protocol is cut off.
  outgoing.on('close', () => reject(new Error('the connection ended without an answer')));
  response.on('close', () => {
    if (!response.writableFinished) outgoing.destroy(new Error('the agent left'));
  });
  outgoing.end(request.body);
  return promise;
}

function open(
  {method, headers, body, url, key}: Forwarded,
  answered: (answer: IncomingMessage) => void,
): ClientRequest {
  const isTls = url.protocol === 'https:';
  const options = {
    method,
    agent: isTls ? agents.https : agents.http,
    headers: {
      ...forwardedHeaders(headers),
      'accept-encoding': 'identity',
      'content-length': String(body.byteLength),
      [key.header]: key.value,
    },
  };
  return isTls ? httpsRequest(url, options, answered) : httpRequest(url, options, answered);
}
