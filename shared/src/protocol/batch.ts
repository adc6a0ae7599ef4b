import * as z from 'zod';
import {SwitchyardError} from '../domain/error.ts';
import {nestsDeeper} from '../domain/parse-json.ts';
import {utf8} from '../crypto/bytes.ts';
import {limits} from '../policy/limits.ts';

/** The envelope of every control frame is `{"m":[…]}`, so that one frame carries what became ready together. */
function messagesOf(json: unknown): readonly unknown[] | undefined {
  if (typeof json !== 'object' || json === null || !('m' in json)) return undefined;
  return Array.isArray(json.m) && json.m.length <= limits.controlBatchMax ? json.m : undefined;
}

const isKnown = (known: ReadonlySet<string>, message: unknown): boolean =>
  typeof message === 'object' &&
  message !== null &&
  't' in message &&
  typeof message.t === 'string' &&
  known.has(message.t);

export type Decoded<Message> = {
  readonly messages: readonly Message[];
  /** Messages of a type that this side does not know: a newer peer may send them. */
  readonly unknown: number;
};

/** `leave_out`: the peer may be newer than this side, and what is not known of its messages changes nothing. */
export type UnknownFields = 'refuse' | 'leave_out';

/**
 * Reads one control frame. Unknown message types are skipped and counted; a known type with a wrong shape throws
 * `invalid_request`, because a peer that breaks its own schema cannot be trusted with the rest of the frame.
 */
export function decodeBatch<Union extends z.ZodDiscriminatedUnion>(
  union: Union,
  text: string,
  unknownFields: UnknownFields = 'refuse',
): Decoded<z.output<Union>> {
  if (!fitsFrame(text))
    throw new SwitchyardError('body_too_large', `a frame is longer than ${limits.controlFrameBytesMax} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SwitchyardError('invalid_request', 'the frame is not JSON', {cause});
  }
  const batch = messagesOf(json);
  if (batch === undefined) throw new SwitchyardError('invalid_request', 'the frame is not {"m":[…]}');
  const known = knownTypes(union);
  const messages: z.output<Union>[] = [];
  for (const message of batch) {
    if (!isKnown(known, message)) continue;
    const parsed = parse(union, message, unknownFields);
    if (!parsed.success) throw new SwitchyardError('invalid_request', describe(message, parsed.error));
    messages.push(parsed.data);
  }
  return {messages, unknown: batch.length - messages.length};
}

/** One frame, whatever its size: for messages that are known to be few and small. */
export function encodeBatch(messages: readonly object[]): string {
  return JSON.stringify({m: messages});
}

/**
 * As few frames as hold the messages in their order, each within the limits of the peer; none for no message. Throws
 * `body_too_large` for a message that fits no frame.
 */
export function encodeBatches(messages: readonly object[]): readonly string[] {
  if (messages.length === 0) return [];
  const whole = encodeBatch(messages);
  if (messages.length <= limits.controlBatchMax && fitsFrame(whole)) return [whole];
  const [only] = messages;
  if (messages.length === 1)
    throw new SwitchyardError('body_too_large', `a message of type ${typeOf(only)} fits no frame of the runner link`);
  const middle = Math.ceil(messages.length / 2);
  return [...encodeBatches(messages.slice(0, middle)), ...encodeBatches(messages.slice(middle))];
}

/** No character takes more than three bytes in UTF-8, so most frames need not be measured. */
const fitsFrame = (text: string): boolean =>
  text.length * 3 <= limits.controlFrameBytesMax ||
  (text.length <= limits.controlFrameBytesMax && utf8(text).length <= limits.controlFrameBytesMax);

/** The deepest message is an event around the data of an agent. */
export const messageLevelsMax = limits.eventLevelsMax + 1;

/** JSON may nest deeper than a schema, or whoever reads the message later, can follow: a wrong shape like any other. */
function parse<Union extends z.ZodDiscriminatedUnion>(
  union: Union,
  message: unknown,
  unknownFields: UnknownFields,
): z.ZodSafeParseResult<z.output<Union>> {
  if (nestsDeeper(message, messageLevelsMax))
    throw new SwitchyardError('invalid_request', `${typeOf(message)}: nested too deeply`);
  const parsed = union.safeParse(message);
  if (parsed.success || unknownFields === 'refuse') return parsed;
  return union.safeParse(withoutUnknownFields(message, parsed.error));
}

/** A copy without the fields that the schema does not know; every other fault stays in it. */
function withoutUnknownFields(message: unknown, {issues}: z.ZodError): unknown {
  const copy: unknown = structuredClone(message);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = issue.path.reduce<unknown>(
      (inner, key) =>
        typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key) ? Reflect.get(inner, key) : undefined,
      copy,
    );
    if (typeof holder === 'object' && holder !== null)
      for (const key of issue.keys) Reflect.deleteProperty(holder, key);
  }
  return copy;
}

const knownTypesByUnion = new WeakMap<object, ReadonlySet<string>>();

function knownTypes(union: z.ZodDiscriminatedUnion): ReadonlySet<string> {
  const cached = knownTypesByUnion.get(union);
  if (cached !== undefined) return cached;
  const types = new Set<string>();
  for (const option of union.options) {
    const literal = option instanceof z.ZodObject ? option.shape['t'] : undefined;
    if (literal instanceof z.ZodLiteral) for (const value of literal.values) types.add(String(value));
  }
  knownTypesByUnion.set(union, types);
  return types;
}

function describe(message: unknown, error: z.ZodError): string {
  const issue = error.issues[0];
  return `${typeOf(message)}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'invalid'}`;
}

function typeOf(message: unknown): string {
  return typeof message === 'object' && message !== null && 't' in message ? String(message.t) : 'unknown';
}
