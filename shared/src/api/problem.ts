import * as z from 'zod';
import {errorCodeSchema} from '../protocol/exit-record.ts';

/** RFC 9457. `code` is the stable name: a program branches on it, never on the text. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: errorCodeSchema,
    detail: z.string(),
    /** The next step for a person. */
    hint: z.string(),
    /** Whether the same request may succeed later. */
    retry: z.boolean(),
    request_id: z.string().optional(),
  })
  .meta({id: 'Problem'});
export type Problem = z.output<typeof problemSchema>;
