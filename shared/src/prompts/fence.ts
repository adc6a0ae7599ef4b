/**
 * Text that somebody else wrote, between two marks that it does not hold. The agent is told that nothing inside is an
 * instruction; the marks keep a text from ending its own fence. The text itself is not changed.
 */
export function fenced(name: string, text: string): string {
  const mark = markFor(name, text);
  return `<<<${mark}\n${text}\n${mark}>>>`;
}

/** The first mark of its kind that the text does not hold, in any case of its letters. */
function markFor(name: string, text: string): string {
  const lower = text.toLowerCase();
  let count = 1;
  while (lower.includes(`data-${count}-${name}`)) count += 1;
  return `DATA-${count}-${name}`;
}
