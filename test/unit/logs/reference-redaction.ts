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
    everywhere(text, pattern(Buffer.from(needle).toString('latin1')), (from, to) => hide(from, to));
  }
  for (const rule of tokenRules) {
    const body = new RegExp(`${bodies[rule.body]}{${rule.bodyBytesMin},${rule.bodyBytesMax}}`, 'y');
    everywhere(text, pattern(rule.literal), (from, to) => {
      if (rule.startsWord && !/(^|[^A-Za-z0-9_-]|\\[nrt])$/.test(text.slice(0, from))) return;
      body.lastIndex = to;
      const end = to + (body.exec(text)?.[0].length ?? 0);
      const pemEnd = text.indexOf('-----END', to);
      hide(to, rule.body === 'pem' && pemEnd >= 0 ? Math.min(end, pemEnd + 8) : end);
    });
  }
  return output;
}

function pattern(literal: string): string {
  const parts = literal.trim().split(/[\t\n\v\f\r ]+/);
  return parts.map(part => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('[\\t\\n\\v\\f\\r ]{1,256}');
}

function everywhere(text: string, source: string, found: (from: number, to: number) => void): void {
  const search = new RegExp(source, 'y');
  for (let from = 0; from < text.length; from++) {
    search.lastIndex = from;
    const match = search.exec(text);
    if (match !== null) found(from, from + match[0].length);
  }
}
