import {execFile} from 'node:child_process';
import {createServer} from 'node:net';
import {promisify} from 'node:util';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {errnoOf} from '../state/errno.ts';

/** Long, since a busy machine takes its time to look at all processes, and the answer is the way out. */
const lookupMs = 10_000;

export type PortHolder = {readonly pid: number; readonly name: string};

/** Throws `port_taken`, which names the port and, where the system tells, the process that holds it. */
export async function checkPortFree(host: string, port: number): Promise<void> {
  const failure = await tryToListen(host, port);
  if (failure === undefined) return;
  if (failure === 'EADDRINUSE') throw await portTaken(host, port);
  throw new SwitchyardError('configuration_invalid', `${host}:${port} cannot be listened on: ${failure}`);
}

export async function portTaken(host: string, port: number): Promise<SwitchyardError> {
  const holder = await portHolder(port);
  const who = holder === undefined ? 'another program' : `${holder.name} (pid ${holder.pid})`;
  return new SwitchyardError('port_taken', `${host}:${port} is held by ${who}`);
}

/** A port that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new SwitchyardError('internal', 'no port was given');
  return address.port;
}

async function tryToListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  const failure = await new Promise<string | undefined>(resolve => {
    server.once('error', error => resolve(errnoOf(error) ?? error.message));
    server.listen({host, port, exclusive: true}, () => resolve(undefined));
  });
  if (failure === undefined) await new Promise(resolve => server.close(resolve));
  return failure;
}

/** Who listens on a port of this machine; `undefined` when the system does not tell us. */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const lsof = await ask('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  return parseLsof(lsof) ?? parseSs(await ask('ss', ['-ltnpH', `sport = :${port}`]));
}

/** `-F` output: one field a line, `p` and the pid, `c` and the command. */
export function parseLsof(text: string): PortHolder | undefined {
  const pid = /^p(\d+)$/m.exec(text)?.[1];
  const name = /^c(.+)$/m.exec(text)?.[1];
  return pid === undefined || name === undefined ? undefined : {pid: Number(pid), name};
}

export function parseSs(text: string): PortHolder | undefined {
  const [, name, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(text) ?? [];
  return pid === undefined || name === undefined ? undefined : {pid: Number(pid), name};
}

async function ask(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, [...args], {timeout: lookupMs, maxBuffer: 1_048_576})).stdout;
  } catch {
    return '';
  }
}
