import {createHash} from 'node:crypto';
import * as z from 'zod';
import {downMessageSchema} from '@switchyard/shared/protocol/down.ts';
import {logDownSchema, logUpSchema} from '@switchyard/shared/protocol/log-control.ts';
import {upMessageSchema} from '@switchyard/shared/protocol/up.ts';
import {PROTOCOL_VERSION, RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {schemasOf, type Json, type JsonObject} from './json-schema.ts';

const directions = {
  'control.up': {union: upMessageSchema, from: 'runner', to: 'fleet'},
  'control.down': {union: downMessageSchema, from: 'fleet', to: 'runner'},
  'log.up': {union: logUpSchema, from: 'runner', to: 'task log'},
  'log.down': {union: logDownSchema, from: 'task log', to: 'runner'},
} as const;

function typeOf(option: z.core.$ZodType): string {
  const literal = option instanceof z.ZodObject ? option.shape['t'] : undefined;
  if (!(literal instanceof z.ZodLiteral)) throw new Error('every message has a literal `t`');
  return String(literal.value);
}

/** Every message of the runner link by its type, as it travels. */
function messages(): JsonObject {
  const schemas = new Map<string, z.ZodType>();
  for (const [direction, {union}] of Object.entries(directions)) {
    for (const option of union.options) schemas.set(`${direction}.${typeOf(option)}`, option);
  }
  const {named, definitions} = schemasOf(Object.fromEntries(schemas), 'input');
  const inDirection = (direction: string): Json =>
    Object.fromEntries(
      [...named]
        .filter(([name]) => name.startsWith(`${direction}.`))
        .map(([name, schema]) => [name.slice(direction.length + 1), schema]),
    );
  return {
    channels: Object.fromEntries(
      Object.entries(directions).map(([name, {from, to}]) => [name, {from, to, messages: inDirection(name)}]),
    ),
    $defs: Object.fromEntries(definitions),
  };
}

/** Changes exactly when a message changes: 16 hexadecimal digits of the SHA-256 over all schemas. */
export function protocolHash(): string {
  return createHash('sha256').update(JSON.stringify(messages())).digest('hex').slice(0, 16);
}

export function protocolDocument(): JsonObject {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: RUNNER_SUBPROTOCOL,
    version: PROTOCOL_VERSION,
    schemaHash: protocolHash(),
    ...messages(),
  };
}
