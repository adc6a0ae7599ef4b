/** A block of JSON in a text, and what stands around it. */
export type Block = {readonly before: string; readonly text: string; readonly after: string};

/** Lines, counted from 0; `to` is behind the last one. */
type Found = {readonly from: number; readonly to: number; readonly isFenced: boolean};

const openingFence = /^\s*(`{3,}|~{3,})\s*(\w*)\s*$/;
const jsonLabels: readonly string[] = ['', 'json', 'jsonc', 'json5'];

/**
 * The last thing in a text that is meant as a block of JSON: what stands between fences, or what begins with a brace at
 * the start of a line. Never an earlier one, however well-formed: that may be quoted from somebody else.
 */
export function lastBlock(text: string): Block | undefined {
  const lines = text.split('\n');
  const found = findLast(lines);
  if (found === undefined) return undefined;
  const {from, to, isFenced} = found;
  const body = lines.slice(from, to).join('\n');
  const before = lines.slice(0, isFenced ? from - 1 : from).join('\n');
  if (isFenced) return {before, text: body, after: lines.slice(to + 1).join('\n')};
  // To the last brace: whatever prose follows has none, or makes it no JSON.
  const end = body.lastIndexOf('}') + 1;
  return {before, text: body.slice(0, end), after: body.slice(end)};
}

function findLast(lines: readonly string[]): Found | undefined {
  let last: Found | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const [, mark, label = ''] = openingFence.exec(lines[at] ?? '') ?? [];
    if (mark !== undefined) {
      const to = closingFence(lines, at + 1, mark);
      if (jsonLabels.includes(label.toLowerCase()) && beginsWithBrace(lines, at + 1, to))
        last = {from: at + 1, to, isFenced: true};
      at = to;
    } else if (lines[at]?.startsWith('{') === true) last = {from: at, to: lines.length, isFenced: false};
  }
  return last;
}

/** The line that ends a fence; one that is never closed ends with the text. */
function closingFence(lines: readonly string[], from: number, mark: string): number {
  for (let at = from; at < lines.length; at += 1) if (isClosing(lines[at]?.trim() ?? '', mark)) return at;
  return lines.length;
}

function isClosing(line: string, mark: string): boolean {
  return line.length >= mark.length && line === mark.charAt(0).repeat(line.length);
}

function beginsWithBrace(lines: readonly string[], from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const line = lines[at]?.trimStart() ?? '';
    if (line !== '') return line.startsWith('{');
  }
  return false;
}
