import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** Throws `unavailable` when the work has no answer in time; the work itself is left to end by itself. */
export async function withDeadline<Value>(
  work: Promise<Value>,
  {what, ms}: {what: string; ms: number},
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SwitchyardError('unavailable', `${what} did not answer in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
