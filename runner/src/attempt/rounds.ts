import {setTimeout as delay} from 'node:timers/promises';

const UPKEEP_MS = 60_000;

/** Looks after the machine at once and then every minute, one pass at a time. */
export function keepUp(pass: () => Promise<void>, log: (line: string) => void): AbortController {
  const controller = new AbortController();
  const {signal} = controller;
  const rounds = async (): Promise<void> => {
    while (!signal.aborted) {
      await pass().catch((error: unknown) => log(`upkeep: ${error instanceof Error ? error.message : String(error)}`));
      await delay(UPKEEP_MS, undefined, {signal, ref: false}).catch(() => undefined);
    }
  };
  void rounds();
  return controller;
}
