import type * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/**
 * Throws `invalid_request` that names the field, what is wrong and the type of the value that came; never the value,
 * which may be a secret in the wrong place.
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: 'params' | 'query' | 'body',
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path ?? [];
  const field = [part, ...path.map(String)].join('.').slice(0, 200);
  throw new SwitchyardError(
    'invalid_request',
    `${field}: ${(issue?.message ?? 'invalid').slice(0, 500)} (got ${typeAt(value, path)})`,
  );
}

function typeAt(value: unknown, path: readonly PropertyKey[]): string {
  let at: unknown = value;
  for (const key of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  if (at === null) return 'null';
  if (at === undefined) return 'nothing';
  return Array.isArray(at) ? 'a list' : typeof at;
}
