/** A word as a person can paste it into a POSIX shell: whatever it holds, it stays one word and runs nothing. */
export function shellWord(word: string): string {
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
