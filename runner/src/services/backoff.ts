/** How long to wait before a service is started again. */
export const backoff = {baseMs: 500, maxMs: 300_000, healthyMs: 300_000} as const;

/**
 * Between half and all of `min(base * 2^failures, 300 s)`: doubling spares the machine, and the part that is left to
 * chance keeps services that fell together from coming back together.
 */
export function backoffMs(failures: number, random: () => number): number {
  const longest = Math.min(backoff.baseMs * 2 ** Math.min(failures, 30), backoff.maxMs);
  return Math.round(longest / 2 + (random() * longest) / 2);
}

/** Failures that count after one more exit: five minutes of health forgive the ones before. */
export function failuresAfterExit(failures: number, healthyMs: number): number {
  return healthyMs >= backoff.healthyMs ? 1 : failures + 1;
}
