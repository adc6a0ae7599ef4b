import * as z from 'zod';

export type Json = string | number | boolean | null | readonly Json[] | {readonly [key: string]: Json};
export type JsonObject = {readonly [key: string]: Json};

export type Schemas = {
  /** One JSON Schema (2020-12) for each name that was asked for. */
  readonly named: ReadonlyMap<string, JsonObject>;
  /** The schemas with an id that they refer to as `#/$defs/<id>`. */
  readonly definitions: ReadonlyMap<string, JsonObject>;
};

const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** Plain data, so that what is written to a file is what was compared. Throws when the part is not an object. */
export function toJsonObject(value: unknown): JsonObject {
  const json: Json = JSON.parse(JSON.stringify(value));
  if (!isObject(json)) throw new Error(`expected a JSON object, got ${JSON.stringify(json)}`);
  return json;
}

export function memberOf(json: JsonObject, key: string): JsonObject {
  const member = json[key];
  return isObject(member) ? member : {};
}

type Rewrite = NonNullable<z.core.ToJSONSchemaParams['override']>;

/**
 * Says in JSON Schema what zod leaves open or says too loudly: a value that a transform makes is described by what it
 * is made from; a safe integer needs no bounds of 2^53; a reader of an answer must expect fields it does not know.
 */
const rewriteFor =
  (io: 'input' | 'output'): Rewrite =>
  ({zodSchema, jsonSchema}) => {
    if (zodSchema instanceof z.ZodPipe && zodSchema.out instanceof z.ZodTransform) {
      const {$schema: _, ...source} = z.toJSONSchema(zodSchema.in, {io: 'input', override: rewriteFor('input')});
      Object.assign(jsonSchema, source);
    }
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    const isOpen = zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined;
    if (io === 'output' && isOpen) delete jsonSchema.additionalProperties;
  };

/** What `z.json()` becomes: any JSON value. zod numbers such recursive schemas, once for each place that uses one. */
const anyJson = '{"anyOf":[{"type":"string"},{"type":"number"},{"type":"boolean"},{"type":"null"},';

function nameOf(name: string, definition: Json): string {
  if (!name.startsWith('__schema')) return name;
  if (JSON.stringify(definition).startsWith(anyJson)) return 'Json';
  throw new Error(`a recursive schema has no name: give it .meta({id: '...'}): ${JSON.stringify(definition)}`);
}

/** Schemas with an id come out once, under their id; all others stand where they are used. */
export function schemasOf(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Schemas {
  const raw = z.toJSONSchema(z.object(schemas), {io, unrepresentable: 'any', override: rewriteFor(io)});
  const found = Object.entries(memberOf(toJsonObject(raw), '$defs'));
  const names = new Map(found.map(([name, definition]) => [name, nameOf(name, definition)]));
  const root = renameRefs(toJsonObject(raw), name => names.get(name) ?? name);
  const definitions = new Map(
    Object.entries(memberOf(root, '$defs')).map(([name, definition]) => {
      const {id: _, ...schema} = toJsonObject(definition);
      return [names.get(name) ?? name, schema];
    }),
  );
  const named = new Map(
    Object.entries(memberOf(root, 'properties')).map(([name, schema]) => [name, toJsonObject(schema)]),
  );
  return {named, definitions};
}

/** The same schema with every `#/$defs/<name>` pointing to the new name. */
export function renameRefs(schema: JsonObject, rename: (name: string) => string): JsonObject {
  const text = JSON.stringify(schema).replaceAll(
    /"\$ref":"#\/\$defs\/([^"]+)"/g,
    (_, name: string) => `"$ref":"#/$defs/${rename(name)}"`,
  );
  return toJsonObject(JSON.parse(text));
}

export function refsOf(schema: JsonObject): readonly string[] {
  return [...JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)].map(match => match[1] ?? '');
}
