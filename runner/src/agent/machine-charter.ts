import {lstatSync} from 'node:fs';
import {join} from 'node:path';
import * as z from 'zod';
import type {Charter} from '@switchyard/shared/domain/charter.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {rulebookOf, type Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';
import {lookForCgroupBase} from '../executor/cgroup.ts';
import {readPrivateFile, writePrivateFile} from '../services/private-file.ts';
import {readPolicyFile} from '../state/policy-file.ts';
import {readCharterFile} from './charter-file.ts';
import {heldLimits, memoryHolders, type HeldLimit, type MemoryHolder} from './machine-limits.ts';

/** Which charter a runner of this machine shall have. */
export type CharterChoice = {
  /** Absolute; the runner must not start without it. */
  readonly file?: string | undefined;
  /** Without any, whatever lies on the disk. */
  readonly isNone?: boolean | undefined;
  readonly stateDirectory: string;
  readonly home: string;
};

export type CharterPlace = {
  readonly path: string;
  readonly why: 'named' | 'beside the policy of this machine' | 'where older daemons keep it';
  /** One that lies there as well and is not read: two are never merged. */
  readonly passedOver: string | null;
};

export type MachineCharter = CharterPlace & {readonly charter: Charter; readonly book: Rulebook};

/** The charter in force: one that is named, else the one beside the policy, else that of an older daemon. */
export function findCharter({file, isNone, stateDirectory, home}: CharterChoice): CharterPlace | null {
  if (isNone === true) return null;
  const places: readonly Omit<CharterPlace, 'passedOver'>[] = [
    ...(file === undefined ? [] : [{path: file, why: 'named'} as const]),
    ...[
      {path: join(stateDirectory, 'charter.yaml'), why: 'beside the policy of this machine'} as const,
      {
        path: join(home, 'orchestrator-daemon', 'orchestrator-charter.yaml'),
        why: 'where older daemons keep it',
      } as const,
    ].filter(({path}) => isThere(path)),
  ];
  const [first, second] = places;
  return first === undefined ? null : {...first, passedOver: second?.path ?? null};
}

/** A link that leads nowhere is one that was meant to be there. */
function isThere(path: string): boolean {
  return lstatSync(path, {throwIfNoEntry: false}) !== undefined;
}

/**
 * Reads it and says what it is; null where there is none. Throws `charter_invalid`: without a charter that was meant to be
 * there the runner must not start.
 */
export async function machineCharter(
  choice: CharterChoice,
  log: (line: string) => void,
): Promise<MachineCharter | null> {
  const place = findCharter(choice);
  if (place === null) {
    if (choice.isNone === true) log('WARNING: started without a charter, as --no-charter says: nothing is held to one');
    return null;
  }
  const charter = await readOrSayHow(place.path);
  const book = rulebookOf(charter.safetyHeuristics, charter.hardConstraints);
  log(`the charter ${charter.name} is in force: ${place.path} (${place.why})`);
  if (place.passedOver !== null)
    log(`charter: ${place.passedOver} is not read: one charter holds, and two are never merged`);
  for (const entry of book.unread)
    log(`charter: no rule understands "${entry}": a person decides on all that is not approved`);
  return {...place, charter, book};
}

/** The charter that a runner starts with, written down for the commands that say which one is in force and how. */
export async function charterOfStart(
  chosen: {readonly file: string} | 'none' | undefined,
  place: Pick<CharterChoice, 'stateDirectory' | 'home'> & {readonly memoryHeldBy: MemoryHolder},
  log: (line: string) => void,
): Promise<MachineCharter | null> {
  const file = typeof chosen === 'object' ? chosen.file : undefined;
  const found = await machineCharter({file, isNone: chosen === 'none', ...place}, log);
  await charterInForce(place.stateDirectory).write({path: found?.path ?? null, memoryHeldBy: place.memoryHeldBy});
  return found;
}

async function readOrSayHow(path: string): Promise<Charter> {
  try {
    return await readCharterFile(path);
  } catch (cause) {
    if (!(cause instanceof SwitchyardError)) throw cause;
    const detail = `${cause.detail}. Correct it and try it with "switchyard charter lint ${path}"; --no-charter starts without any`;
    throw new SwitchyardError('charter_invalid', detail, {cause});
  }
}

const inForceSchema = z.strictObject({
  version: z.literal(1),
  path: z.string().nullable(),
  memory_held_by: z.enum(memoryHolders).optional(),
});

type InForce = {readonly path: string | null; readonly memoryHeldBy?: MemoryHolder | undefined};

/**
 * The limits of this machine that are held, and how: as the last start of its runner found it, or as one would now. Throws
 * `charter_invalid` and `configuration_invalid`, as that start.
 */
export async function limitsHere(
  choice: Pick<CharterChoice, 'stateDirectory' | 'home'>,
): Promise<readonly HeldLimit[]> {
  const place = findCharter(choice);
  const charter = place === null ? null : await readCharterFile(place.path);
  const {policy} = await readPolicyFile(join(choice.stateDirectory, 'policy.json'));
  const known = (await charterInForce(choice.stateDirectory).read())?.memoryHeldBy;
  const holder = known ?? ((await lookForCgroupBase())?.holdsMemory === true ? 'cgroup' : 'samples');
  return heldLimits({policy, charter}, holder);
}

/** Which charter the runner of this machine has, as it wrote down when it started; undefined before its first start. */
export function charterInForce(stateDirectory: string): {
  readonly write: (inForce: InForce) => Promise<void>;
  readonly read: () => Promise<InForce | undefined>;
} {
  const file = join(stateDirectory, 'charter-in-force.json');
  return {
    write: async ({path, memoryHeldBy}) =>
      writePrivateFile(file, `${JSON.stringify({version: 1, path, memory_held_by: memoryHeldBy})}\n`),
    read: async () => {
      const text = await readPrivateFile(file);
      const read = inForceSchema.safeParse(text === undefined ? undefined : parseJson(text));
      return read.success ? {path: read.data.path, memoryHeldBy: read.data.memory_held_by} : undefined;
    },
  };
}
