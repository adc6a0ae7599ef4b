import {memberOf, toJsonObject, type Json, type JsonObject} from './json-schema.ts';
import {code, element, type Markup, type Part} from './markup.ts';

const refPrefix = '#/components/schemas/';
/** Fields of fields are shown as `outer.inner`, no deeper than this; a named schema is a link instead. */
const depthMax = 3;
/** A longer one explains nothing to a person. */
const patternCharactersMax = 60;

const listOf = (json: Json | undefined): readonly JsonObject[] =>
  Array.isArray(json) ? json.map(item => toJsonObject(item)) : [];
const optionsOf = (schema: JsonObject): readonly JsonObject[] => [
  ...listOf(schema['anyOf']),
  ...listOf(schema['oneOf']),
];
const has = (schema: JsonObject, key: string): boolean => schema[key] !== undefined;

/** A schema in a few words; a named one is a link to where it stands. */
export function schemaWords(schema: JsonObject): readonly Part[] {
  const ref = schema['$ref'];
  if (typeof ref === 'string') {
    const name = ref.slice(refPrefix.length);
    return [element('a', {href: `#${name}`}, code(name))];
  }
  const options = optionsOf(schema);
  if (options.length > 0)
    return options.flatMap((option, index) => [index === 0 ? '' : ' or ', ...schemaWords(option)]);
  if (has(schema, 'const')) return [code(JSON.stringify(schema['const']))];
  if (Array.isArray(schema['enum'])) return [code(schema['enum'].map(value => JSON.stringify(value)).join(' | '))];
  if (schema['type'] === 'array') return ['list of ', ...schemaWords(memberOf(schema, 'items'))];
  if (schema['type'] === 'object' && !has(schema, 'properties'))
    return ['map of ', ...schemaWords(memberOf(schema, 'additionalProperties'))];
  const types = [schema['type'] ?? 'anything'].flat().filter(type => typeof type === 'string');
  const pattern = schema['pattern'];
  const isShort = typeof pattern === 'string' && pattern.length <= patternCharactersMax;
  return [types.join(' or '), ...(isShort ? [' that matches ', code(pattern)] : [])];
}

const bounds: readonly (readonly [string, (value: string) => string])[] = [
  ['minLength', value => `at least ${value} ${value === '1' ? 'character' : 'characters'}`],
  ['maxLength', value => `at most ${value} characters`],
  ['minimum', value => `from ${value}`],
  ['exclusiveMinimum', value => `above ${value}`],
  ['maximum', value => `to ${value}`],
  ['minItems', value => `at least ${value}`],
  ['maxItems', value => `at most ${value}`],
  ['default', value => `default ${value}`],
];

function boundsOf(schema: JsonObject): string {
  const told = bounds.flatMap(([key, words]) => {
    const value = schema[key];
    return value === undefined || (typeof value === 'object' && value !== null) ? [] : [words(JSON.stringify(value))];
  });
  return told.length === 0 ? '' : `, ${told.join(', ')}`;
}

/** One row of a table of fields. */
export function fieldRow(name: string, schema: JsonObject, isRequired: boolean): Markup {
  const need = isRequired ? [] : [' ', element('small', {}, 'optional')];
  return element(
    'tr',
    {},
    element('th', {scope: 'row'}, code(name), ...need),
    element('td', {}, ...schemaWords(schema), boundsOf(schema)),
  );
}

export const fieldTable = (rows: readonly Markup[]): Markup => element('table', {}, element('tbody', {}, ...rows));

/** What a schema holds: a table of its fields, one for each form it may have, or a few words. */
export function schemaMarkup(schema: JsonObject): Markup {
  const forms = optionsOf(schema);
  const isUnionOfObjects = forms.length > 0 && forms.every(form => has(form, 'properties'));
  if (isUnionOfObjects) return element('div', {}, ...forms.map(schemaMarkup));
  if (!has(schema, 'properties')) return element('p', {}, ...schemaWords(schema), boundsOf(schema));
  return fieldTable(rowsOf(schema, '', 1));
}

function rowsOf(schema: JsonObject, prefix: string, depth: number): readonly Markup[] {
  const required = schema['required'];
  return Object.entries(memberOf(schema, 'properties')).flatMap(([name, json]) => {
    const field = toJsonObject(json);
    const isRequired = Array.isArray(required) && required.includes(name);
    const row = fieldRow(`${prefix}${name}`, field, isRequired);
    const inner = depth < depthMax ? innerObject(field) : undefined;
    return inner === undefined
      ? [row]
      : [row, ...rowsOf(inner.schema, `${prefix}${name}${inner.isList ? '[].' : '.'}`, depth + 1)];
  });
}

/** The object that stands inside a field without a name of its own: in it, in a list, or beside null. */
function innerObject(field: JsonObject): {readonly schema: JsonObject; readonly isList: boolean} | undefined {
  if (has(field, 'properties')) return {schema: field, isList: false};
  const items = memberOf(field, 'items');
  if (has(items, 'properties')) return {schema: items, isList: true};
  const objects = optionsOf(field).filter(option => has(option, 'properties'));
  const [only] = objects;
  return only !== undefined && objects.length === 1 ? {schema: only, isList: false} : undefined;
}
