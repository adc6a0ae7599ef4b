import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import * as z from 'zod';
import {isErrorCode, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {identityOf, type Machine} from '../executor/process-identity.ts';
import {SERVICE_MARK, type ServiceRecord} from './service-record.ts';

export type ServiceCommand = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
};

export type ServiceExit = {readonly code: number | null; readonly signal: string | null};

export type ServiceProcess = {
  readonly record: ServiceRecord;
  readonly exited: Promise<ServiceExit>;
  /** The line of JSON with which it said that it is ready; rejects with the error it stated, or when it ended first. */
  readonly ready: Promise<unknown>;
  /** Ends its standard input: the service takes that as the end of its parent. */
  readonly cutLifeline: () => void;
};

const lineCharactersMax = 16_384;
const saidSchema = z.union([
  z.object({ready: z.literal(true)}).loose(),
  z.object({shutdown: z.literal(true)}),
  z.object({error: z.object({code: z.string(), detail: z.string()})}),
]);

type ServiceContext = {
  readonly machine: Machine;
  readonly mark: string;
  readonly onLine: (line: string) => void;
  /** The service was told that everything is to be shut down. */
  readonly onShutdown: () => void;
};

/**
 * Starts a service as the leader of a process group of its own, so that a Ctrl-C of the terminal reaches this process
 * only, with a pipe as life line: when this process dies, however it dies, the pipe ends and the service stops itself.
 */
export async function startServiceProcess(
  name: string,
  {file, args, env, cwd}: ServiceCommand,
  context: ServiceContext,
): Promise<ServiceProcess> {
  const child = spawn(file, [...args], {
    cwd,
    env: {...env, [SERVICE_MARK]: context.mark},
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = new Promise<ServiceExit>(resolve => child.once('exit', (code, signal) => resolve({code, signal})));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', cause =>
      reject(new SwitchyardError('unavailable', `${name} did not start: ${cause.message}`, {cause})),
    );
  });
  // The service may close its end first; what matters then is its exit.
  child.stdin.on('error', () => undefined);
  const pid = child.pid ?? 0;
  const identity = identityOf(pid, context.machine) ?? {pid, started: '', bootId: context.machine.bootId};
  const tail: string[] = [];
  const onLine = (line: string): void => {
    tail.push(line);
    if (tail.length > 3) tail.shift();
    context.onLine(line);
  };
  eachLine(child.stderr, onLine);
  const ready = readyLine(
    child.stdout,
    {onLine, onShutdown: context.onShutdown},
    exited.then(exit => endedEarly(name, exit, tail)),
  );
  // Whoever only stops the service never looks at it.
  ready.catch(() => undefined);
  return {record: {name, ...identity, mark: context.mark}, exited, ready, cutLifeline: () => child.stdin.end()};
}

async function readyLine(
  stream: Readable,
  {onLine, onShutdown}: Pick<ServiceContext, 'onLine' | 'onShutdown'>,
  ended: Promise<SwitchyardError>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    eachLine(stream, line => {
      const said = saidSchema.safeParse(parseJson(line));
      if (!said.success) onLine(line);
      else if ('shutdown' in said.data) onShutdown();
      else if ('ready' in said.data) resolve(said.data);
      else reject(statedError(said.data.error));
    });
    void ended.then(reject);
  });
}

function statedError({code, detail}: {code: string; detail: string}): SwitchyardError {
  return new SwitchyardError(isErrorCode(code) ? code : 'internal', detail);
}

function endedEarly(name: string, {code, signal}: ServiceExit, tail: readonly string[]): SwitchyardError {
  const said = tail.length === 0 ? '' : `: ${tail.join(' | ')}`;
  return new SwitchyardError(
    'unavailable',
    `${name} ended with ${code ?? signal ?? 'nothing'} before it was ready${said}`,
  );
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  createInterface({input: stream, crlfDelay: Infinity}).on('line', line => onLine(line.slice(0, lineCharactersMax)));
}
