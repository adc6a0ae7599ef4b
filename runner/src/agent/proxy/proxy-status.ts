import {join} from 'node:path';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {isAlive, type Machine} from '../../executor/process-identity.ts';
import {readPrivateFile, writePrivateFile} from '../../services/private-file.ts';
import {readHolder} from '../../state/state-lock.ts';
import {readProxyFile} from './proxy-file.ts';
import {proxyTrouble} from './proxy-watch.ts';

/** Where a proxy that listens says since when, and for whom. */
export const STATUS_PATH = '/agentauth/status';

const timeMs = z.int().nonnegative();
export const listeningSchema = z.object({since_ms: timeMs, attempts: z.int().nonnegative()});
/** What a proxy that listens answers: since when it does, and how many attempts that hold their lease were given it. */
export type Listening = z.output<typeof listeningSchema>;

const noteSchema = listeningSchema.extend({trouble: z.string().nullable()});
/** What a runner wrote down when its proxy last was in trouble, or well again. */
export type ProxyNote = z.output<typeof noteSchema>;

const notePath = (runnerDirectory: string): string => join(runnerDirectory, 'model-proxy-status.json');

export async function writeProxyNote(runnerDirectory: string, note: ProxyNote): Promise<void> {
  await writePrivateFile(notePath(runnerDirectory), JSON.stringify(note));
}

/**
 * The proxy of a runner, seen from outside. `healing`: agents do not reach it, and its runner makes it anew. `dead`: there
 * is no runner that would. Null is what nobody can tell by now. Times are milliseconds since 1970.
 */
export type ProxyStatus = {
  readonly state: 'listening' | 'healing' | 'dead';
  readonly trouble: string | null;
  readonly since_ms: number | null;
  readonly attempts: number | null;
};

export type ProxyPlace = {readonly runnerDirectory: string; readonly machine: Machine};

/** Null where no runner of this machine has had a proxy yet. */
export async function proxyStatus({runnerDirectory, machine}: ProxyPlace): Promise<ProxyStatus | null> {
  const file = await readProxyFile(runnerDirectory);
  if (file === undefined) return null;
  const url = `http://127.0.0.1:${file.port}`;
  const trouble = await proxyTrouble(() => url);
  if (trouble === null) {
    const {since_ms = null, attempts = null} = (await askProxy(url)) ?? {};
    return {state: 'listening', trouble: null, since_ms, attempts};
  }
  const holder = readHolder(runnerDirectory);
  const isHeld =
    holder !== undefined && isAlive({pid: holder.pid, started: holder.start, bootId: holder.boot_id}, machine);
  if (!isHeld) return {state: 'dead', trouble, since_ms: null, attempts: null};
  const note = await readProxyNote(runnerDirectory);
  // The runner may not have noticed so far.
  if (note === undefined || note.trouble === null) return {state: 'healing', trouble, since_ms: null, attempts: null};
  return {state: 'healing', ...note};
}

async function readProxyNote(runnerDirectory: string): Promise<ProxyNote | undefined> {
  const text = await readPrivateFile(notePath(runnerDirectory));
  return noteSchema.safeParse(text === undefined ? undefined : parseJson(text)).data;
}

/** Undefined for the proxy of a runner that does not know the question. */
async function askProxy(url: string): Promise<Listening | undefined> {
  try {
    const answer = await fetch(new URL(STATUS_PATH, url), {
      headers: {connection: 'close'},
      signal: AbortSignal.timeout(limits.modelProxyAnswerMs),
    });
    return listeningSchema.safeParse(parseJson(await answer.text())).data;
  } catch {
    return undefined;
  }
}
