const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

const apiPolicy = "default-src 'none'; frame-ancestors 'none'";
const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Sets what every answer carries. There is no Access-Control-Allow-Origin: pages of other origins read nothing here.
 * An upgrade keeps its headers as they are.
 */
export function withAnswerHeaders(
  response: Response,
  {requestId, isPage, isHttps}: {requestId: string; isPage: boolean; isHttps: boolean},
): Response {
  if (response.status === 101) return response;
  const answer = new Response(response.body, response);
  for (const [name, value] of Object.entries(always)) answer.headers.set(name, value);
  answer.headers.set('content-security-policy', isPage ? pagePolicy : apiPolicy);
  if (!isPage && !answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store');
  if (isHttps) answer.headers.set('strict-transport-security', 'max-age=31536000');
  answer.headers.set('x-request-id', requestId);
  return answer;
}
