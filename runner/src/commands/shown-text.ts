/**
 * What a terminal obeys or hides instead of showing: control characters of both ranges, line separators, what turns the
 * direction of writing, and characters without a shape. Joiners stay, because scripts and emoji need them.
 */
const obeyed =
  /[\p{Cc}\u00ad\u061c\u115f\u1160\u180e\u2800\u3164\uffa0\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
const obeyedInLines = new RegExp(`(?![\\n\\t])${obeyed.source}`, 'gu');
const colour = /\u001b\[[0-9;:]*m/g;
/** The colours of this program: one number each. */
const ownColour = /(\u001b\[\d{1,2}m)/;

/**
 * One line of text that somebody else wrote. Colours are dropped and line breaks become spaces; everything else that a
 * terminal would obey is shown in the escapes of JSON, so that nothing is hidden and nothing happens.
 */
export function oneLine(text: string): string {
  return text
    .replaceAll(colour, '')
    .replaceAll(/[\r\n\t]+/g, ' ')
    .replaceAll(obeyed, escaped);
}

/** Lines of this program as a terminal gets them: its own colours work, nothing else does. JSON stays the same JSON. */
export function shownLines(text: string): string {
  return text
    .split(ownColour)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(obeyedInLines, escaped)))
    .join('');
}

function escaped(character: string): string {
  const units = Array.from({length: character.length}, (_, index) => character.charCodeAt(index));
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
