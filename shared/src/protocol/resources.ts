import * as z from 'zod';

const count = z.int().nonnegative();

/** What the processes of one attempt use of their machine, all of them together. */
export const resourcesSchema = z.strictObject({
  /** Right now. */
  rss_bytes: count,
  processes: count,
  /** Time of processors since the agent began; what processes used that have ended may be missing. */
  cpu_ms: count,
  /** The most that a sample found. */
  rss_bytes_max: count,
  processes_max: count,
});
export type Resources = z.infer<typeof resourcesSchema>;
