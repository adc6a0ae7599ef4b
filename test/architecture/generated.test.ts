import {expect, test} from 'vitest';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {generators, written} from '../../tools/generate/generators.ts';
import {memberOf, refsOf, toJsonObject} from '../../tools/generate/json-schema.ts';
import {toOpenApi} from '../../tools/generate/openapi.ts';

const info = {title: 'Test', version: '1', description: 'Test.'};

test.for(generators)('[AR13] $path is what its source says (else: npm run generate)', async generator => {
  const text = await generator.build();
  expect(written(generator)).toBe(text);
  expect(await generator.build()).toBe(text);
  expect(text.length).toBeGreaterThan(500);
});

test('[AR14] the OpenAPI document holds every contract once and no dangling reference', () => {
  const document = toOpenApi(info, contracts);
  const operations = Object.values(memberOf(document, 'paths')).flatMap(path => Object.values(toJsonObject(path)));
  expect(operations.map(operation => JSON.stringify(toJsonObject(operation)['operationId'])).toSorted()).toEqual(
    contracts.map(({id}) => JSON.stringify(id)).toSorted(),
  );
  const known = Object.keys(memberOf(memberOf(document, 'components'), 'schemas'));
  const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
    match => match[1] ?? '',
  );
  expect(refs.filter(ref => !known.includes(ref))).toEqual([]);
  expect(refs.length).toBeGreaterThan(10);
  expect(refsOf(document)).toEqual([]);
});

test('[AR14] two contracts for one method and path are refused', () => {
  const [first] = contracts;
  if (first === undefined) throw new Error('there is no contract');
  expect(() => toOpenApi(info, [first, {...first, id: 'again'}])).toThrow(`two contracts for ${first.method}`);
});

test('[AR14] an operation says which credentials it takes', () => {
  const text = (auth: 'none' | 'read' | 'signed' | 'runner') => {
    const [first] = contracts;
    if (first === undefined) throw new Error('there is no contract');
    const paths = memberOf(toOpenApi(info, [{...first, auth}]), 'paths');
    return JSON.stringify(memberOf(memberOf(paths, Object.keys(paths)[0] ?? ''), first.method)['security']);
  };
  expect(text('none')).toBe('[]');
  expect(text('read')).toBe('[{"bearer":["read"]}]');
  expect(text('signed')).toBe('[{"bearer":["write"]},{"signature":[]}]');
  expect(text('runner')).toBe('[{"runner":[]}]');
});
