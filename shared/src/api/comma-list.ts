import * as z from 'zod';

/** A comma-separated list in the query of a request, of one to twenty items. */
export const commaList = <T extends z.ZodType<unknown, string>>(item: T) =>
  z
    .string()
    .transform(text => text.split(','))
    .pipe(z.array(item).min(1).max(20));
