import {appendFileSync, mkdirSync, renameSync, statSync} from 'node:fs';
import {join} from 'node:path';

/** Bytes of one log file; the one before it is kept. */
const fileBytesMax = 10_485_760;

export type ServiceLog = {readonly write: (service: string, line: string) => void};

/** Appends lines with their time to `<service>.log`, at most two files of 10 MiB each. A full disk stops no service. */
export function serviceLog(directory: string, nowMs: () => number): ServiceLog {
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const sizes = new Map<string, number>();
  return {
    write: (service, line) => {
      const path = logPath(directory, service);
      const entry = `${new Date(nowMs()).toISOString()} ${line}\n`;
      try {
        const size = sizes.get(path) ?? statSync(path, {throwIfNoEntry: false})?.size ?? 0;
        if (size > fileBytesMax) renameSync(path, `${path}.1`);
        appendFileSync(path, entry, {mode: 0o600});
        sizes.set(path, (size > fileBytesMax ? 0 : size) + entry.length);
      } catch {
        // Nowhere is left to say it.
      }
    },
  };
}

export function logPath(directory: string, service: string): string {
  return join(directory, `${service}.log`);
}
