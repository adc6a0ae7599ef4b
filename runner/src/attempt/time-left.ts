const MINUTES_FROM_MS = 90_000;

/** A time that is left, as the subject of a sentence with its verb. */
export function timeLeft(leftMs: number): string {
  if (leftMs >= MINUTES_FROM_MS) return `${Math.round(leftMs / 60_000)} minutes are`;
  const seconds = Math.max(1, Math.round(leftMs / 1_000));
  return seconds === 1 ? 'one second is' : `${seconds} seconds are`;
}
