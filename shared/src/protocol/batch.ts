import * as z from 'zod';
import {SwitchyardError} from '../domain/error.ts';
import {limits} from '../policy/limits.ts';

/** The envelope of every control frame: `{"m":[…]}`, so that one frame carries what became ready together. */
const batchSchema = z.object({m: z.array(z.unknown()).max(limits.controlBatchMax)});

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

/**
 * Reads one control frame. Unknown message types are skipped and counted; a known type with a wrong shape throws
 * `invalid_request`, because a peer that breaks its own schema cannot be trusted with the rest of the frame.
 */
export function decodeBatch<Union extends z.ZodDiscriminatedUnion>(
  union: Union,
  text: string,
): Decoded<z.output<Union>> {
  if (text.length > limits.controlFrameBytesMax)
    throw new SwitchyardError('body_too_large', `a frame of ${text.length} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SwitchyardError('invalid_request', 'the frame is not JSON', {cause});
  }
  const batch = batchSchema.safeParse(json);
  if (!batch.success) throw new SwitchyardError('invalid_request', 'the frame is not {"m":[…]}');
  const known = knownTypes(union);
  const messages: z.output<Union>[] = [];
  for (const message of batch.data.m.filter(each => isKnown(known, each))) {
    const parsed = union.safeParse(message);
    if (!parsed.success) throw new SwitchyardError('invalid_request', describe(message, parsed.error));
    messages.push(parsed.data);
  }
  return {messages, unknown: batch.data.m.length - messages.length};
}

export function encodeBatch(messages: readonly object[]): string {
  return JSON.stringify({m: messages});
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
  const type = typeof message === 'object' && message !== null && 't' in message ? String(message.t) : 'unknown';
  const issue = error.issues[0];
  return `${type}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'invalid'}`;
}
