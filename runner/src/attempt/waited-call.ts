import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import * as z from 'zod';
import type {Answer, Ask} from '../agent/driver.ts';
import {errnoOf} from '../state/errno.ts';

/** The call that an agent was put off with: what people decide on under its first name. */
export const waitedCallSchema = z.strictObject({
  /** What the agent's program called the session in which it made the call. */
  session: z.string(),
  toolCall: z.string(),
  tool: z.string(),
  input: z.record(z.string(), z.unknown()),
});
export type WaitedCall = z.output<typeof waitedCallSchema>;

/** What the call does. What an agent says about a command changes from one time to the next. */
function deedOf({tool, input}: Pick<WaitedCall, 'tool' | 'input'>): string {
  const {command, cwd} = input;
  return JSON.stringify([tool, typeof command === 'string' ? {command, cwd} : input]);
}

const FILE = 'waited-call';

/**
 * Has the first call of an attempt that does exactly what the one that waited would have done decided under the name of that
 * one, and as it was shown to people; any other, and a second one like it, is a call of its own. Which one it was is noted, so that another process of the
 * runner takes no second one for it.
 */
export function withWaitedCall(
  decide: (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>,
  waited: WaitedCall | null,
  runDir: string,
): typeof decide {
  if (waited === null) return decide;
  return async (ask, withdrawn) => {
    const isIt = ask.kind === 'permission' && deedOf(ask) === deedOf(waited) && (await isFirst(runDir, ask.id));
    return decide(isIt ? {...ask, toolCall: waited.toolCall, input: waited.input} : ask, withdrawn);
  };
}

/** A file that only one can make says which it was. */
async function isFirst(runDir: string, askId: string): Promise<boolean> {
  const path = join(runDir, FILE);
  try {
    await writeFile(path, askId, {flag: 'wx', mode: 0o600});
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return (await readFile(path, 'utf8')) === askId;
  }
}
