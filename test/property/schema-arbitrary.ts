import fc from 'fast-check';
import * as z from 'zod';

/**
 * Values that a schema takes, made from its published JSON Schema: what a stranger who reads the documents would send.
 * What a JSON Schema cannot say (refinements) is left to a filter; what its patterns say in a way that fast-check
 * cannot invert is written down by hand below. Every value was taken by the schema itself before it is given out.
 */
type JsonSchema = z.core.JSONSchema.BaseSchema;
type Definitions = Readonly<Record<string, JsonSchema>>;

/** By the text of the pattern, without its anchors. */
const handWritten: readonly (readonly [RegExp, fc.Arbitrary<string>])[] = [
  // The base of a task: a branch that git takes.
  [/^\^\(\?!\[-\.\/\]\)/, fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}(?:\/[a-z0-9_+@-]{1,10}){0,3}$/)],
  // The URL of a repository.
  [/^\^\(\?!-\)\[\^\\s/, fc.stringMatching(/^(?:https:\/\/[a-z]{1,9}\.test|git@[a-z]{1,9}:|ssh:\/\/h)\/[!-~]{1,30}$/)],
];

const formats: Readonly<Record<string, fc.Arbitrary<string>>> = {
  uri: fc.webUrl({validSchemes: ['http', 'https'], withQueryParameters: true}),
  'date-time': fc.date({noInvalidDate: true, min: new Date(0), max: new Date(4e12)}).map(date => date.toISOString()),
};

/** Any text, lone surrogates and NUL too. */
export const anyText = (maxLength: number, minLength = 0): fc.Arbitrary<string> => {
  const max = Math.max(minLength, Math.min(maxLength, 24));
  const bounds = {minLength, maxLength: max};
  return fc.oneof(
    fc.string(bounds),
    fc.string({...bounds, unit: 'binary-ascii'}),
    // A character of two units may break the limit in units: it is left out rather than cut.
    fc.array(fc.integer({min: 0, max: 0xffff}), bounds).map(units => String.fromCharCode(...units)),
    fc.constant('x'.repeat(Math.min(maxLength, 4_000))),
  );
};

const anyJson = fc.jsonValue({maxDepth: 4, depthSize: 'small'}).map(value => withoutNegativeZero(value));

/** JSON writes -0 as 0: a value that travels has none. */
function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The inputs of a schema, as they travel. */
export function valuesOf<Schema extends z.ZodType>(schema: Schema): fc.Arbitrary<z.input<Schema>> {
  const json: JsonSchema = z.toJSONSchema(schema, {io: 'input', unrepresentable: 'any', cycles: 'ref'});
  const arbitrary = build(json, json.$defs ?? {}).filter(value => schema.safeParse(value).success);
  return arbitrary as fc.Arbitrary<z.input<Schema>>;
}

function build(schema: JsonSchema, definitions: Definitions): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return referenced(schema.$ref, definitions);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const options = schema.oneOf ?? schema.anyOf;
  if (options !== undefined) return fc.oneof(...options.map(option => build(option, definitions)));
  return ofType(schema, definitions);
}

function ofType(schema: JsonSchema, definitions: Definitions): fc.Arbitrary<unknown> {
  const types: unknown = schema.type;
  // `z.string().nullable()` has two.
  if (Array.isArray(types)) return fc.oneof(...types.map(type => ofType({...schema, type}, definitions)));
  switch (schema.type) {
    case 'string':
      return textOf(schema);
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return listOf(schema, definitions);
    case 'object':
      return objectOf(schema, definitions);
    default:
      return anyJson;
  }
}

function referenced(reference: string, definitions: Definitions): fc.Arbitrary<unknown> {
  const name = reference.replace('#/$defs/', '');
  const target = definitions[name];
  if (target === undefined) throw new Error(`${reference} leads nowhere`);
  // Nothing but `z.json()` refers to itself.
  return JSON.stringify(target).includes(JSON.stringify(reference)) ? anyJson : build(target, definitions);
}

function textOf(schema: JsonSchema): fc.Arbitrary<string> {
  const {pattern, format, minLength = 0, maxLength = 1_000} = schema;
  if (format !== undefined && format in formats) return formats[format] ?? fc.string();
  const patterns = pattern === undefined ? (schema.allOf ?? []).flatMap(each => each.pattern ?? []) : [pattern];
  const [only] = patterns;
  if (only === undefined) return anyText(maxLength, minLength);
  const written = handWritten.find(([known]) => known.test(only))?.[1];
  return written ?? fc.stringMatching(new RegExp(only));
}

function numberOf({type, minimum, maximum, exclusiveMinimum}: JsonSchema): fc.Arbitrary<number> {
  const isInteger = type === 'integer';
  const least =
    minimum ?? (exclusiveMinimum === undefined ? undefined : Number(exclusiveMinimum) + (isInteger ? 1 : 1e-9));
  const min = Math.max(least ?? -Infinity, isInteger ? Number.MIN_SAFE_INTEGER : -1e300);
  const max = Math.min(maximum ?? Infinity, isInteger ? Number.MAX_SAFE_INTEGER : 1e300);
  const inside = isInteger ? fc.integer({min, max}) : fc.double({min, max, noNaN: true});
  return fc.oneof({weight: 4, arbitrary: inside}, fc.constantFrom(min, max)).map(value => value + 0);
}

function listOf({items, minItems = 0, maxItems = 100}: JsonSchema, definitions: Definitions): fc.Arbitrary<unknown> {
  const item = build((items ?? {}) as JsonSchema, definitions);
  return fc.array(item, {minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 4))});
}

function objectOf(schema: JsonSchema, definitions: Definitions): fc.Arbitrary<unknown> {
  const {properties = {}, required = [], additionalProperties, propertyNames} = schema;
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [name, build(field as JsonSchema, definitions)]),
  );
  const record = fc.record(fields, {requiredKeys: [...required], noNullPrototype: true});
  if (Object.keys(properties).length > 0 || typeof additionalProperties !== 'object') return record;
  // A class or an entry that is called like the prototype is dropped by every reader, so it does not come back.
  const names = textOf((propertyNames ?? {}) as JsonSchema).filter(name => name !== '__proto__');
  return fc.dictionary(names, build(additionalProperties, definitions), {maxKeys: 4, noNullPrototype: true});
}
