import * as z from 'zod';

/**
 * The text messages beside the data frames on a log socket: one JSON object each.
 *
 *    runner                                  task log
 *      | -------- open ---------------------> |
 *      | <------- state {len, watching} ----- |   first, always: where to go on
 *      | -------- data frames --------------> |
 *      | <------- ack {len} / nack {len} ---- |   ack: durable up to len; nack: a gap, go back to len
 *      | <------- watching {count} ---------- |   somebody looks: send at once; nobody: send in bulk
 *      | -------- end {len, sha256} --------> |   nothing follows
 *      | <------- sealed {len, receipt} ----- |   whole and equal; or nack {len} when bytes are missing
 *      | <------- gone {why} ---------------- |   at any time: this log takes no more bytes from this attempt
 *
 * Every message may be sent again: each answer is the same as the first time. An `end` for a sealed log is answered by
 * `sealed` with the same receipt. An `end` whose hash differs from the stored bytes is answered by `gone`.
 */
const length = z.int().nonnegative();

export const logDownSchema = z.discriminatedUnion('t', [
  z.object({t: z.literal('state'), len: length, watching: length}),
  z.object({t: z.literal('ack'), len: length}),
  z.object({t: z.literal('nack'), len: length}),
  z.object({t: z.literal('watching'), count: length}),
  /** `receipt` is opaque to the runner; it hands it on with the exit of the attempt. */
  z.object({t: z.literal('sealed'), len: length, receipt: z.string().max(2048)}),
  z.object({t: z.literal('gone'), why: z.string().max(500)}),
]);

export const logUpSchema = z.discriminatedUnion('t', [
  z.strictObject({t: z.literal('end'), len: length, sha256: z.string().regex(/^[0-9a-f]{64}$/)}),
]);

/** The same conversation by request and answer, where a network breaks WebSockets. */
export const logExchangeSchema = z.strictObject({
  /** Data frames in base64. */
  frames: z.array(z.string().max(200_000)).max(64),
  /** Control messages as they would be sent. */
  control: z.array(z.string().max(4096)).max(8),
});
export type LogExchangeBody = z.infer<typeof logExchangeSchema>;

export const logExchangeAnswerSchema = z.object({
  len: length,
  watching: length,
  messages: z.array(z.unknown()).max(72),
});

/** Task log to runner. */
export type LogDown = z.infer<typeof logDownSchema>;

/** Runner to task log. */
export type LogUp = z.infer<typeof logUpSchema>;

/** Characters of one control message; a longer one is malformed. */
export const logControlCharsMax = 4096;

export type LogControlParsed<Message> =
  | {readonly kind: 'message'; readonly message: Message}
  /** Well-formed, of a type that this side does not know: to be ignored, so that the other side may be newer. */
  | {readonly kind: 'unknown'; readonly t: string}
  | {readonly kind: 'malformed'; readonly why: string};

/** Never throws. */
export function parseLogDown(text: string): LogControlParsed<LogDown> {
  return parse(text, logDownSchema);
}

/** Never throws. */
export function parseLogUp(text: string): LogControlParsed<LogUp> {
  return parse(text, logUpSchema);
}

export function formatLogDown(message: LogDown): string {
  return JSON.stringify(message);
}

export function formatLogUp(message: LogUp): string {
  return JSON.stringify(message);
}

const typed = z.object({t: z.string()});

function parse<Message>(text: string, schema: z.ZodType<Message>): LogControlParsed<Message> {
  if (text.length > logControlCharsMax) return {kind: 'malformed', why: `longer than ${logControlCharsMax} characters`};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {kind: 'malformed', why: 'not JSON'};
  }
  const known = schema.safeParse(value);
  if (known.success) return {kind: 'message', message: known.data};
  const other = typed.safeParse(value);
  if (other.success && known.error.issues.some(issue => issue.code === 'invalid_union' && issue.path[0] === 't')) {
    return {kind: 'unknown', t: other.data.t};
  }
  return {kind: 'malformed', why: z.prettifyError(known.error)};
}
