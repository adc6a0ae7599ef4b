import {lstatSync} from 'node:fs';
import {join} from 'node:path';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import {judge} from '@switchyard/shared/policy/charter/judge.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import {rulebookOf, type Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';
import {readCharterFile} from './charter-file.ts';

/** Beside the policy of the machine. */
const CHARTER_FILE = 'charter.yaml';

/** What the owner of this machine says to a call. `default`: nothing, so what is usual for the agent holds. */
export type Ruling = {
  readonly decision: 'reject' | 'escalate' | 'approve' | 'default';
  readonly rule: string | null;
  readonly reason: string;
};

/**
 * The charter of this machine, null where it has none. Throws `charter_invalid`: without a charter that was meant to be
 * there the runner must not start. A link that leads nowhere is one that was meant to be there.
 */
export async function machineCharter(stateDirectory: string, log: (line: string) => void): Promise<Rulebook | null> {
  const path = join(stateDirectory, CHARTER_FILE);
  if (lstatSync(path, {throwIfNoEntry: false}) === undefined) return null;
  const book = rulebookOf((await readCharterFile(path)).safetyHeuristics);
  for (const entry of book.unread)
    log(`charter: no rule understands "${entry}": a person decides on all that is not approved`);
  return book;
}

/** While a refusal is not understood, whatever is not approved may be what it was meant to refuse: a person decides. */
export function rulingOf(book: Rulebook, call: ToolCall, scene: Scene): Ruling {
  const {decision, rule = null, reason} = judge(book, call, scene);
  if (decision !== 'ask-default') return {decision, rule, reason};
  const [unread] = book.unread;
  if (unread === undefined) return {decision: 'default', rule, reason};
  return {decision: 'escalate', rule: unread, reason: `no rule understands this entry of the charter: ${unread}`};
}
