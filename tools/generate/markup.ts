/** HTML that is well formed; only this file makes it from text. */
export type Markup = {readonly html: string};
export type Part = Markup | string;

const entities: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'};

/** Text stays text, whatever is in it. */
export function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, character => entities[character] ?? '');
}

/** `parts` that are strings become text. An attribute that is undefined is left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  ...parts: readonly Part[]
): Markup {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(value)}"`],
  );
  const inside = parts.map(part => (typeof part === 'string' ? escaped(part) : part.html));
  return {html: `<${name}${given.join('')}>${inside.join('')}</${name}>`};
}

export const code = (text: string): Markup => element('code', {}, text);
