import {memberOf, toJsonObject, type Json, type JsonObject} from './json-schema.ts';
import {code, element, type Markup, type Part} from './markup.ts';
import {fieldRow, fieldTable, schemaMarkup} from './schema-markup.ts';

type Operation = {readonly method: string; readonly path: string; readonly says: JsonObject};

const textOf = (json: Json | undefined): string => (typeof json === 'string' ? json : '');
const listOf = (json: Json | undefined): readonly JsonObject[] =>
  Array.isArray(json) ? json.map(item => toJsonObject(item)) : [];

/**
 * An OpenAPI document as one page that needs no script: every operation and every schema is there, folded, under its
 * name as an anchor.
 */
export function referencePage(document: JsonObject): string {
  const operations = Object.entries(memberOf(document, 'paths')).flatMap(([path, methods]) =>
    Object.entries(toJsonObject(methods)).map(([method, says]): Operation => ({
      method,
      path,
      says: toJsonObject(says),
    })),
  );
  const schemas = Object.entries(memberOf(memberOf(document, 'components'), 'schemas'));
  const groups = Map.groupBy(operations, ({path}) => prefixOf(path));
  const body = [
    element('nav', {}, element('a', {href: '/'}, 'Switchyard')),
    element('h1', {}, 'API reference'),
    element(
      'p',
      {class: 'lead'},
      'A token goes into ',
      code('Authorization: Bearer'),
      '; its scope is read, write or admin, and each includes the ones before it. Every refusal is a problem document (RFC 9457): branch on its ',
      code('code'),
      '. For programs: ',
      element('a', {href: '/openapi.json'}, 'openapi.json'),
      '.',
    ),
    ...[...groups].flatMap(([prefix, members]) => [
      element('h2', {}, code(prefix)),
      element('div', {class: 'list'}, ...members.map(operationMarkup)),
    ]),
    element('h2', {}, 'Schemas'),
    element('div', {class: 'list'}, ...schemas.map(([name, schema]) => namedSchema(name, toJsonObject(schema)))),
  ];
  return `${head}${body.map(({html}) => `      ${html}\n`).join('')}    </main>\n  </body>\n</html>\n`;
}

const head = `<!doctype html>
<!-- Generated from shared/src/api by npm run generate. Do not edit. -->
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Switchyard API reference</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/style.css" />
  </head>
  <body>
    <main>
`;

/** `/v1/tasks/{task}/log` belongs to `/v1/tasks`. */
const prefixOf = (path: string): string => path.split('/').slice(0, 3).join('/');

function operationMarkup({method, path, says}: Operation): Markup {
  const parameters = listOf(says['parameters']).map(({name, schema, required}) =>
    fieldRow(textOf(name), toJsonObject(schema), required === true),
  );
  const body = bodyOf(says['requestBody']);
  const answers = Object.entries(memberOf(says, 'responses')).flatMap(([status, answer]) => {
    const schema = bodyOf(answer);
    return schema === undefined ? [] : [element('h3', {}, `Answer ${status}`), schemaMarkup(schema)];
  });
  return fold(
    textOf(says['operationId']),
    [
      element('span', {class: 'method'}, method.toUpperCase()),
      code(path),
      element('span', {class: 'says'}, textOf(says['summary'])),
      element('small', {class: 'scope'}, credentialsOf(says)),
    ],
    [
      ...(parameters.length === 0 ? [] : [element('h3', {}, 'Parameters'), fieldTable(parameters)]),
      ...(body === undefined ? [] : [element('h3', {}, 'Body'), schemaMarkup(body)]),
      ...answers,
    ],
  );
}

function namedSchema(name: string, schema: JsonObject): Markup {
  return fold(name, [code(name)], [schemaMarkup(schema)]);
}

/** The anchor is inside, because a browser unfolds what holds the target of a link. */
function fold(id: string, summary: readonly Part[], inside: readonly Part[]): Markup {
  return element('details', {}, element('summary', {}, ...summary), element('div', {class: 'inside', id}, ...inside));
}

/** The JSON form; another one has no schema worth a table. */
function bodyOf(json: Json | undefined): JsonObject | undefined {
  if (json === undefined) return undefined;
  const schema = memberOf(memberOf(memberOf(toJsonObject(json), 'content'), 'application/json'), 'schema');
  return Object.keys(schema).length === 0 ? undefined : schema;
}

function credentialsOf(says: JsonObject): string {
  const named = listOf(says['security']).flatMap(requirement =>
    Object.entries(requirement).map(([name, scopes]) =>
      Array.isArray(scopes) && scopes.length > 0 ? scopes.join(' ') : name,
    ),
  );
  return named.length === 0 ? 'open' : named.join(' or ');
}
