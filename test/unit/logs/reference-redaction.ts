import {secretBytesMin} from '../../../runner/src/logs/secret-forms.ts';
import {type TokenRule, tokenRules} from '../../../runner/src/logs/token-rules.ts';

const bodies: Record<TokenRule['body'], string> = {
  alphanumeric: '[A-Za-z0-9]',
  token: '[A-Za-z0-9_.-]',
  pem: '[A-Za-z0-9+/=\\\\:,\\t\\n\\v\\f\\r -]',
};

/** What a redactor must give out, by trying every pattern at every byte of the whole input: slow and plain. */
export function referenceRedaction(bytes: Uint8Array, needles: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(bytes).toString('latin1');
  const output = Buffer.from(bytes);
  const hide = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (output[at] !== 0x0a && output[at] !== 0x0d) output[at] = 0x2a;
  };
  for (const needle of needles) {
    const literal = Buffer.from(needle).toString('latin1');
    everywhere(text, pattern(literal), (from, to) => hide(from, to));
    for (const beginning of beginnings(literal)) everywhere(text, `${beginning}$`, (from, to) => hide(from, to));
  }
  for (const rule of tokenRules) {
    const body = new RegExp(`${bodies[rule.body]}{${rule.bodyBytesMin},${rule.bodyBytesMax}}`, 'y');
    const unfinished = new RegExp(`${bodies[rule.body]}{${secretBytesMin},${rule.bodyBytesMax}}$`, 'y');
    everywhere(text, pattern(rule.literal), (from, to) => {
      if (rule.startsWord && !/(^|[^A-Za-z0-9_-]|\\[nrt])$/.test(text.slice(0, from))) return;
      body.lastIndex = to;
      const end = to + (body.exec(text)?.[0].length ?? 0);
      const pemEnd = text.indexOf('-----END', to);
      unfinished.lastIndex = to;
      if (rule.body !== 'pem' && unfinished.test(text)) hide(to, text.length);
      hide(to, rule.body === 'pem' && pemEnd >= 0 ? Math.min(end, pemEnd + 8) : end);
    });
  }
  return output;
}

function pattern(literal: string): string {
  const parts = literal.trim().split(/[\t\n\v\f\r ]+/);
  return parts.map(part => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('[\\t\\n\\v\\f\\r ]{1,256}');
}

/** Every beginning of a literal that is masked where the text ends in it; a run of whitespace counts as one byte. */
function beginnings(literal: string): readonly string[] {
  const symbols = literal.trim().replaceAll(/[\t\n\v\f\r ]+/g, ' ');
  return Array.from({length: Math.max(0, symbols.length - secretBytesMin)}, (_, more) => {
    const beginning = symbols.slice(0, secretBytesMin + more);
    return beginning.endsWith(' ') ? `${pattern(beginning)}[\\t\\n\\v\\f\\r ]{1,256}` : pattern(beginning);
  });
}

function everywhere(text: string, source: string, found: (from: number, to: number) => void): void {
  const search = new RegExp(source, 'y');
  for (let from = 0; from < text.length; from++) {
    search.lastIndex = from;
    const match = search.exec(text);
    if (match !== null) found(from, from + match[0].length);
  }
}
