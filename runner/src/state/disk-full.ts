import * as z from 'zod';
import {errnoOf} from './errno.ts';

const fullErrnos: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const SQLITE_FULL = 13;

const sqliteErrorSchema = z.looseObject({errcode: z.int()});

/** The primary code of an error of SQLite; undefined for any other error. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const read = sqliteErrorSchema.safeParse(error);
  return read.success ? read.data.errcode & 0xff : undefined;
}

/** Whether somebody could not write for want of space, whoever it was: the system itself, or SQLite. */
export function isDiskFull(error: unknown): boolean {
  return fullErrnos.has(errnoOf(error) ?? '') || sqliteCodeOf(error) === SQLITE_FULL;
}
