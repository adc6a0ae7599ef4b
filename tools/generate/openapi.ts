import type * as z from 'zod';
import type {AnyContract, Auth} from '@switchyard/shared/api/contract.ts';
import {problemSchema} from '@switchyard/shared/api/problem.ts';
import {memberOf, refsOf, renameRefs, schemasOf, type Json, type JsonObject, type Schemas} from './json-schema.ts';

export type ApiInfo = {readonly title: string; readonly version: string; readonly description: string};

const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of the pool. Its scope is read, write or admin; each includes the ones before it.',
  },
  signature: {
    type: 'apiKey',
    in: 'header',
    name: 'webhook-signature',
    description:
      'Standard Webhooks over the raw body: webhook-id, webhook-timestamp and webhook-signature (v1 HMAC-SHA256, v1a Ed25519), with the key named in webhook-key-id. Or x-dispatch-key, x-dispatch-timestamp (milliseconds), x-dispatch-nonce and x-dispatch-signature: the hex HMAC-SHA256 over timestamp.nonce.METHOD.path.key.body with these dots, the path with its query.',
  },
  runner: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A short token that the runner signs with its own key.',
  },
} as const;

function securityOf(auth: Auth): readonly JsonObject[] {
  if (auth === 'none') return [];
  if (auth === 'runner') return [{runner: []}];
  return auth === 'signed' ? [{bearer: ['write']}, {signature: []}] : [{bearer: [auth]}];
}

const inputKeys = ['params', 'query', 'body'] as const;

function inputSchemas(contracts: readonly AnyContract[]): Record<string, z.ZodType> {
  return Object.fromEntries(
    contracts.flatMap(contract =>
      inputKeys.flatMap((key): [string, z.ZodType][] => {
        const schema = contract[key];
        return schema === undefined ? [] : [[`${contract.id}.${key}`, schema]];
      }),
    ),
  );
}

function outputSchemas(contracts: readonly AnyContract[]): Record<string, z.ZodType> {
  const answers = contracts.flatMap(({id, responses}) =>
    Object.entries(responses).map(([status, schema]): [string, z.ZodType] => [`${id}.${status}`, schema]),
  );
  return {...Object.fromEntries(answers), problem: problemSchema};
}

/**
 * One schema may differ as input and as answer (a default is optional to send and always there to read). The answer
 * keeps the name, the input gets `<name>Input`; so does an input that refers to one which differs.
 */
function splitNames(input: Schemas['definitions'], output: Schemas['definitions']): ReadonlySet<string> {
  const split = new Set<string>();
  for (const [name, schema] of input) {
    const other = output.get(name);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(schema)) split.add(name);
  }
  for (let size = -1; size !== split.size;) {
    size = split.size;
    for (const [name, schema] of input) if (refsOf(schema).some(ref => split.has(ref))) split.add(name);
  }
  return split;
}

function parameters(schema: JsonObject | undefined, at: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const required = schema['required'];
  return Object.entries(memberOf(schema, 'properties')).map(([name, property]) => ({
    name,
    in: at,
    required: at === 'path' || (Array.isArray(required) && required.includes(name)),
    schema: property,
  }));
}

const reasons = new Map([
  [200, 'Done.'],
  [201, 'Created.'],
  [202, 'Taken; the effect follows.'],
  [204, 'Done; no content.'],
  [503, 'Not available.'],
]);

/** Text is a string; bytes have no schema (OpenAPI 3.1, section 4.8.14.3). */
function otherContent({alsoProduces = []}: AnyContract): Record<string, JsonObject> {
  return Object.fromEntries(
    alsoProduces.map(type => [type, type.startsWith('text/') ? {schema: {type: 'string'}} : {}]),
  );
}

function responsesOf(contract: AnyContract, output: Schemas): Json {
  const answers = Object.keys(contract.responses).map((status, index) => [
    status,
    {
      description: reasons.get(Number(status)) ?? `Status ${status}.`,
      content: {
        'application/json': {schema: output.named.get(`${contract.id}.${status}`) ?? {}},
        ...(index === 0 ? otherContent(contract) : {}),
      },
    },
  ]);
  const problem = {$ref: '#/components/responses/Problem'};
  return {...Object.fromEntries(answers), '4XX': problem, '5XX': problem};
}

function operation(contract: AnyContract, input: Schemas, output: Schemas): JsonObject {
  const body = input.named.get(`${contract.id}.body`);
  const isOptional = contract.body?.safeParse(undefined).success ?? false;
  return {
    operationId: contract.id,
    summary: contract.summary,
    security: securityOf(contract.auth),
    parameters: [
      ...parameters(input.named.get(`${contract.id}.params`), 'path'),
      ...parameters(input.named.get(`${contract.id}.query`), 'query'),
    ],
    ...(body === undefined
      ? {}
      : {requestBody: {required: !isOptional, content: {'application/json': {schema: body}}}}),
    responses: responsesOf(contract, output),
  };
}

function pathsOf(contracts: readonly AnyContract[], input: Schemas, output: Schemas): JsonObject {
  const paths = new Map<string, Record<string, Json>>();
  for (const contract of contracts) {
    const path = contract.path.replaceAll(/:(\w+)/g, '{$1}');
    const operations = paths.get(path) ?? {};
    if (contract.method in operations) throw new Error(`two contracts for ${contract.method} ${path}`);
    operations[contract.method] = operation(contract, input, output);
    paths.set(path, operations);
  }
  return Object.fromEntries(paths);
}

/** OpenAPI 3.1 of a list of contracts, in their order. Throws when two of them claim one method and path. */
export function toOpenApi(info: ApiInfo, contracts: readonly AnyContract[]): JsonObject {
  const output = schemasOf(outputSchemas(contracts), 'output');
  const asSent = schemasOf(inputSchemas(contracts), 'input');
  const split = splitNames(asSent.definitions, output.definitions);
  const rename = (name: string): string => (split.has(name) ? `${name}Input` : name);
  const renamed = (schemas: ReadonlyMap<string, JsonObject>, naming: (name: string) => string) =>
    new Map([...schemas].map(([name, schema]) => [naming(name), renameRefs(schema, rename)]));
  const input: Schemas = {
    named: renamed(asSent.named, name => name),
    definitions: renamed(asSent.definitions, rename),
  };
  const schemas = [...output.definitions, ...input.definitions].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const named = new Set(
    contracts.flatMap(({auth}) => securityOf(auth).flatMap(requirement => Object.keys(requirement))),
  );
  const used = Object.fromEntries(Object.entries(securitySchemes).filter(([name]) => named.has(name)));
  const problem = {
    description: 'What went wrong, and what to do next: docs/errors.md lists every code.',
    content: {'application/problem+json': {schema: output.named.get('problem') ?? {}}},
  };
  const document = {
    openapi: '3.1.0',
    info: {...info, license: {name: 'MIT', identifier: 'MIT'}},
    servers: [{url: '/', description: 'The host that serves this document.'}],
    paths: pathsOf(contracts, input, output),
    components: {schemas: Object.fromEntries(schemas), responses: {Problem: problem}, securitySchemes: used},
  };
  return JSON.parse(JSON.stringify(document).replaceAll('#/$defs/', '#/components/schemas/'));
}
