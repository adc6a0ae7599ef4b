/** Errors that one has, one below the other: an object behind another, or D1, wraps what it got. */
const causesMax = 5;

/**
 * Whether storage could not take a write for want of space: the disk below it, or the limit of an object. workerd has no
 * code for it, and says the name that SQLite gives it at the end of the message.
 *
 * @see https://developers.cloudflare.com/durable-objects/platform/limits/
 */
export function isStorageFull(error: unknown): boolean {
  let each = error;
  for (let depth = 0; depth < causesMax && each instanceof Error; depth += 1) {
    if (/: SQLITE_FULL\b/.test(each.message)) return true;
    each = each.cause;
  }
  return false;
}
