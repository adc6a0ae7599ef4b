import {connect} from 'node:net';
import {setTimeout as wait} from 'node:timers/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

export type PortProbe = {
  readonly port: number;
  readonly host?: string;
  /** Asks for this path and expects a status below 400; without it, an accepted connection is enough. */
  readonly httpPath?: `/${string}`;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds that never step back. */
  readonly monotonicMs?: () => number;
};

const TIMEOUT_MS = 15_000;
const DELAY_MS_MIN = 50;
const DELAY_MS_MAX = 1_000;

/**
 * Waits until something answers, trying after 50 ms, then at doubled distances up to 1 s.
 *
 * @throws SwitchyardError port_timeout when the time is over: whoever boots a service stops there and unwinds.
 * A cancel rejects with the signal's reason.
 */
export async function waitForPort(probe: PortProbe): Promise<{readonly elapsedMs: number}> {
  const {port, host = '127.0.0.1', timeoutMs = TIMEOUT_MS, monotonicMs = () => performance.now()} = probe;
  const startedMs = monotonicMs();
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = probe.signal === undefined ? timeout : AbortSignal.any([timeout, probe.signal]);
  for (let delayMs = DELAY_MS_MIN; ; delayMs = Math.min(DELAY_MS_MAX, delayMs * 2)) {
    if (await answers({...probe, host, port}, signal)) return {elapsedMs: monotonicMs() - startedMs};
    await wait(delayMs, undefined, {signal}).catch(() => undefined);
    probe.signal?.throwIfAborted();
    if (timeout.aborted)
      throw new SwitchyardError('port_timeout', `${host}:${port} did not answer within ${timeoutMs} ms`);
  }
}

function answers({host, port, httpPath}: PortProbe & {host: string}, signal: AbortSignal): Promise<boolean> {
  return httpPath === undefined ? accepts(host, port, signal) : responds(host, port, httpPath, signal);
}

async function responds(host: string, port: number, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    const authority = host.includes(':') ? `[${host}]` : host;
    const response = await fetch(`http://${authority}:${port}${path}`, {signal, redirect: 'manual'});
    await response.body?.cancel();
    return response.status < 400;
  } catch {
    return false;
  }
}

function accepts(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({host, port});
    const settle = (isOpen: boolean): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(isOpen);
    };
    const onAbort = (): void => settle(false);
    signal.addEventListener('abort', onAbort, {once: true});
    if (signal.aborted) settle(false);
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
