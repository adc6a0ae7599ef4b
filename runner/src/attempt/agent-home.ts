import {mkdir, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DriverInput} from '../agent/driver.ts';
import type {AttemptName} from '../executor/attempt-name.ts';
import {readRunFile, writeRunFile} from '../executor/run-directory.ts';
import type {WorktreeContext} from '../worktree/places.ts';
import {discard} from '../worktree/remove.ts';
import {agentDirectoryOf, agentHomeOf} from './attempt-paths.ts';
import {waitedCallSchema, type WaitedCall} from './waited-call.ts';

const RECORD = 'session.json';

/** Whose the folder of the agent of a task is. */
const recordSchema = z.strictObject({
  version: z.literal(1),
  /** The attempt that has it, or had it last. */
  epoch: z.int().positive(),
  /** The attempt that made the worktree: an agent that goes on finds its files where it left them. */
  tree_epoch: z.int().positive(),
  /** That attempt goes on with the session of an earlier one. */
  is_resumed: z.boolean(),
  /** The agent was put off, and the folder waits for the attempt that goes on. */
  is_waiting: z.boolean(),
  /** What it waits with, where its program does not know that by itself. */
  waited: waitedCallSchema.nullable().default(null),
});
export type AgentHome = z.output<typeof recordSchema>;

export async function readAgentHome(stateDirectory: string, task: string): Promise<AgentHome | undefined> {
  const text = await readRunFile(agentDirectoryOf(stateDirectory, task), RECORD);
  return text === undefined ? undefined : recordSchema.safeParse(parseJson(text)).data;
}

/** What a driver has to know of the attempt before. */
export function sessionLeft(home: AgentHome | undefined): Pick<DriverInput, 'isResumed' | 'session'> {
  return {isResumed: home?.is_resumed ?? false, session: home?.waited?.session ?? null};
}

/** The folder for an attempt that begins: that of the attempt which waits, else a new one. A second call changes nothing. */
export async function takeAgentHome(context: WorktreeContext, {task, epoch}: AttemptName): Promise<AgentHome> {
  return locked(context, task, async () => {
    const known = await readAgentHome(context.root, task);
    if (known?.epoch === epoch) return known;
    if (known === undefined || !known.is_waiting || known.epoch > epoch) return make(context, {task, epoch});
    return write(context, task, {...known, epoch, is_resumed: true, is_waiting: false});
  });
}

export async function newAgentHome(context: WorktreeContext, attempt: AttemptName): Promise<AgentHome> {
  return locked(context, attempt.task, async () => make(context, attempt));
}

/** The agent of this attempt was put off. */
export async function keepAgentHome(
  context: WorktreeContext,
  {task, epoch}: AttemptName,
  waited: WaitedCall | null = null,
): Promise<void> {
  await locked(context, task, async () => {
    const known = await readAgentHome(context.root, task);
    if (known?.epoch === epoch) await write(context, task, {...known, is_waiting: true, waited});
  });
}

/** Removes the folder that this attempt had; the next attempt of the task may have taken it meanwhile, and keeps it. */
export async function leaveAgentHome(context: WorktreeContext, {task, epoch}: AttemptName): Promise<void> {
  await locked(context, task, async () => {
    const known = await readAgentHome(context.root, task);
    if (known?.epoch === epoch && !known.is_waiting) await discard(context, agentDirectoryOf(context.root, task));
  });
}

/** One attempt of a task may end here while the next one begins. */
async function locked<T>({locks, root}: WorktreeContext, task: string, work: () => Promise<T>): Promise<T> {
  return locks.hold(agentDirectoryOf(root, task), work);
}

async function make(context: WorktreeContext, {task, epoch}: AttemptName): Promise<AgentHome> {
  await discard(context, agentDirectoryOf(context.root, task));
  await mkdir(agentHomeOf(context.root, task), {recursive: true, mode: 0o700});
  return write(context, task, {
    version: 1,
    epoch,
    tree_epoch: epoch,
    is_resumed: false,
    is_waiting: false,
    waited: null,
  });
}

async function write(context: WorktreeContext, task: string, home: AgentHome): Promise<AgentHome> {
  await writeRunFile(agentDirectoryOf(context.root, task), RECORD, `${JSON.stringify(home)}\n`);
  return home;
}

/** Removes the folders of tasks that are not held here and wait for nobody, or have waited longer than anybody may. */
export async function collectAgentHomes(
  context: WorktreeContext,
  {isHeld, nowMs}: {readonly isHeld: (task: string) => boolean; readonly nowMs: number},
): Promise<void> {
  for (const task of await readdir(join(context.root, 'agents')).catch(() => [])) {
    await locked(context, task, async () => {
      const directory = agentDirectoryOf(context.root, task);
      const home = await readAgentHome(context.root, task);
      const writtenMs = (await stat(join(directory, RECORD)).catch(() => undefined))?.mtimeMs ?? 0;
      if (home?.is_waiting === true && nowMs - writtenMs < limits.approvalTtlMaxMs) return;
      if (!isHeld(task)) await discard(context, directory);
    });
  }
}
