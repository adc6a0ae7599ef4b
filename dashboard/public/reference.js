/** Renders openapi.json as a page. Text goes into the page as text, never as markup. */
const place = document.querySelector('#operations');

function make(tag, {className, text, children = []} = {}) {
  const element = document.createElement(tag);
  if (className !== undefined) element.className = className;
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

/** A schema in a few words. A named schema stands under its name, so that no schema can contain itself. */
function words(schema) {
  if (schema === undefined || schema === true) return 'anything';
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1);
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return options.map(words).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(value => JSON.stringify(value)).join(' | ');
  if (schema.type === 'array') return `list of ${words(schema.items)}`;
  if (schema.type === 'object' && schema.properties === undefined) return 'map';
  return String(schema.type ?? 'anything');
}

function limitsOf({minLength, maxLength, minimum, maximum, maxItems, default: fallback} = {}) {
  const parts = [
    minLength === undefined ? undefined : `at least ${minLength} characters`,
    maxLength === undefined ? undefined : `at most ${maxLength} characters`,
    minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : `from ${minimum}`,
    maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : `to ${maximum}`,
    maxItems === undefined ? undefined : `at most ${maxItems}`,
    fallback === undefined || typeof fallback === 'object' ? undefined : `default ${JSON.stringify(fallback)}`,
  ];
  return parts.filter(part => part !== undefined).join(', ');
}

function row(name, schema, isRequired) {
  const title = make('code', {text: name});
  const need = make('span', {className: 'note', text: isRequired ? '' : ' optional'});
  const about = make('span', {className: 'note', text: ` ${limitsOf(schema)}`});
  return make('tr', {
    children: [
      make('td', {children: [title, need]}),
      make('td', {children: [make('code', {text: words(schema)}), about]}),
    ],
  });
}

function fields(schema, schemas) {
  const shape = schema?.$ref === undefined ? schema : schemas[schema.$ref.split('/').at(-1)];
  const options = shape?.oneOf ?? shape?.anyOf;
  if (options !== undefined) return make('div', {children: options.map(option => fields(option, schemas))});
  if (shape?.properties === undefined) return make('p', {children: [make('code', {text: words(schema)})]});
  const required = new Set(shape.required);
  const rows = Object.entries(shape.properties).map(([name, each]) => row(name, each, required.has(name)));
  return make('table', {children: [make('tbody', {children: rows})]});
}

const jsonOf = content => content?.['application/json']?.schema ?? content?.['application/problem+json']?.schema;

function operation(method, path, {summary, parameters = [], requestBody, responses}, schemas) {
  const inside = make('div', {className: 'inside'});
  if (parameters.length > 0) {
    const rows = parameters.map(({name, schema, required}) => row(name, schema, required));
    inside.append(make('h3', {text: 'Parameters'}), make('table', {children: [make('tbody', {children: rows})]}));
  }
  const body = jsonOf(requestBody?.content);
  if (body !== undefined) inside.append(make('h3', {text: 'Body'}), fields(body, schemas));
  for (const [status, {content}] of Object.entries(responses)) {
    const schema = jsonOf(content);
    if (schema !== undefined && status !== 'default')
      inside.append(make('h3', {text: `Answer ${status}`}), fields(schema, schemas));
  }
  const head = make('summary', {
    children: [
      make('span', {className: 'method', text: method.toUpperCase()}),
      make('code', {text: path}),
      make('span', {className: 'note', text: summary ?? ''}),
    ],
  });
  return make('details', {className: 'operation', children: [head, inside]});
}

try {
  const response = await fetch('/openapi.json', {signal: AbortSignal.timeout(10_000)});
  const {paths, components} = await response.json();
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => operation(method, path, each, components?.schemas ?? {})),
  );
  const named = Object.entries(components?.schemas ?? {}).map(([name, schema]) => {
    const inside = make('div', {className: 'inside', children: [fields(schema, components.schemas)]});
    return make('details', {
      className: 'operation',
      children: [make('summary', {children: [make('code', {text: name})]}), inside],
    });
  });
  place.replaceChildren(make('h2', {text: 'Operations'}), ...operations, make('h2', {text: 'Schemas'}), ...named);
} catch {
  place.replaceChildren(make('p', {className: 'note', text: 'openapi.json could not be read. Try again in a moment.'}));
}
