import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {toOpenApi} from '../../../tools/generate/openapi.ts';
import {referencePage} from '../../../tools/generate/reference-page.ts';
import {memberOf, toJsonObject} from '../../../tools/generate/json-schema.ts';
import {fieldTable, schemaMarkup} from '../../../tools/generate/schema-markup.ts';

const document = toOpenApi({title: 'Switchyard', version: '1', description: 'Test.'}, contracts);
const page = referencePage(document);
const found = (pattern: RegExp): readonly string[] => [...page.matchAll(pattern)].map(match => match[1] ?? '');
const read = (name: string): string =>
  readFileSync(new URL(`../../../dashboard/public/${name}`, import.meta.url), 'utf8');

test('[PG1] every operation and every schema is on the page once, and every link leads somewhere', () => {
  const schemas = Object.keys(memberOf(memberOf(document, 'components'), 'schemas'));
  const ids = found(/ id="([^"]+)"/g);
  expect(ids.toSorted()).toEqual([...contracts.map(({id}) => id), ...schemas].toSorted());
  const links = found(/ href="#([^"]+)"/g);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter(link => !ids.includes(link))).toEqual([]);
  expect(page).not.toContain('<script');
});

test('[PG1] an operation says which credentials it takes', () => {
  const scope = (id: string): string =>
    new RegExp(`<small class="scope">([^<]+)</small></summary><div class="inside" id="${id}"`).exec(page)?.[1] ?? '';
  expect([scope('getTask'), scope('createTask'), scope('changePool'), scope('getHealth')]).toEqual([
    'read',
    'write or signature',
    'admin',
    'open',
  ]);
});

test('[PG2] a summary, a name and a pattern that hold markup are shown as they are', () => {
  const evil = '<script>alert("x")</script>&amp;';
  const schema = {type: 'object', properties: {[evil]: {type: 'string', pattern: evil}}};
  const operation = {operationId: 'x"><b>', summary: evil, responses: {200: {content: {'application/json': {schema}}}}};
  const html = referencePage(toJsonObject({paths: {[`/v1/${evil}`]: {get: operation}}}));
  expect(html).not.toMatch(/<script|<b>/);
  expect(html.split('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;amp;')).toHaveLength(5);
});

test('[PG3] fields of fields, of lists and beside null are named by their path; what has a name of its own is a link', () => {
  const inner = {type: 'object', properties: {url: {type: ['string', 'null'], maxLength: 9}}, required: ['url']};
  const {html} = schemaMarkup(
    toJsonObject({
      type: 'object',
      properties: {
        one: inner,
        many: {type: 'array', items: inner, maxItems: 3},
        none: {anyOf: [inner, {type: 'null'}]},
        named: {$ref: '#/components/schemas/Task'},
      },
    }),
  );
  const cells = [...html.matchAll(/<code>([^<]+)<\/code>(?: <small>optional<\/small>)?<\/th><td>(.*?)<\/td>/g)];
  expect(cells.map(([, name, what]) => [name, what])).toEqual([
    ['one', 'object'],
    ['one.url', 'string or null, at most 9 characters'],
    ['many', 'list of object, at most 3'],
    ['many[].url', 'string or null, at most 9 characters'],
    ['none', 'object or null'],
    ['none.url', 'string or null, at most 9 characters'],
    ['named', '<a href="#Task"><code>Task</code></a>'],
  ]);
  expect(fieldTable([]).html).toBe('<table><tbody></tbody></table>');
});

/** Relative luminance and contrast: WCAG 2.2, "contrast ratio". */
function contrast(one: string, other: string): number {
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5]
      .map(at => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((left, right) => left - right);
  return (light + 0.05) / (dark + 0.05);
}

const colours = new Map(
  [...read('style.css').matchAll(/--(\w+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
    ([, name = '', light = '', dark = '']) => [name, {light, dark}] as const,
  ),
);

test.for(['ink', 'soft', 'accent'])('[PG4] %s can be read on the page and on its cards', name => {
  for (const scheme of ['light', 'dark'] as const)
    for (const ground of ['paper', 'card']) {
      const [text, behind] = [colours.get(name)?.[scheme] ?? '', colours.get(ground)?.[scheme] ?? ''];
      expect([name, scheme, ground, contrast(text, behind) >= 4.5]).toEqual([name, scheme, ground, true]);
    }
});

test('[PG5] the page says where health and the address are found without a script', () => {
  const html = read('index.html');
  expect(html).toMatch(/id="health"[^]*?href="\/v1\/health"/);
  expect(html).toContain('<span class="origin">$URL</span>/v1/tasks');
  for (const [, selector = ''] of read('page.js').matchAll(/querySelector(?:All)?\('([.#][\w-]+)'\)/g))
    expect(html).toContain(selector.startsWith('#') ? `id="${selector.slice(1)}"` : `class="${selector.slice(1)}"`);
});
