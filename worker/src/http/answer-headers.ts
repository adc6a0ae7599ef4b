const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

const apiPolicy = "default-src 'none'; frame-ancestors 'none'";
const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const jsonHeaders = new Headers({
  ...always,
  'content-type': 'application/json',
  'content-security-policy': apiPolicy,
  'cache-control': 'no-store',
});
const complete = new WeakSet<Response>();

/** Our own JSON, made with the headers of every answer: to set them one by one costs as much as a look-up in SQLite. */
export function jsonAnswer(text: string, status: number): Response {
  const response = new Response(text, {status, headers: jsonHeaders});
  complete.add(response);
  return response;
}

/**
 * Sets what every answer carries. There is no Access-Control-Allow-Origin: pages of other origins read nothing here.
 * An upgrade keeps its headers as they are.
 */
export function withAnswerHeaders(
  response: Response,
  {requestId, isHttps}: {requestId: string; isHttps: boolean},
): Response {
  if (response.status === 101) return response;
  const answer = complete.has(response) ? response : withSafetyHeaders(response);
  if (isHttps) answer.headers.set('strict-transport-security', 'max-age=31536000');
  answer.headers.set('x-request-id', requestId);
  return answer;
}

/** A copy: the headers of an answer that came from elsewhere cannot be changed. */
function withSafetyHeaders(response: Response): Response {
  const answer = new Response(response.body, response);
  const isPage = response.headers.get('content-type')?.startsWith('text/html') === true;
  for (const [name, value] of Object.entries(always)) answer.headers.set(name, value);
  answer.headers.set('content-security-policy', isPage ? pagePolicy : apiPolicy);
  if (!isPage && !answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store');
  return answer;
}
