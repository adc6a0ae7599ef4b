import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** The stores of operating systems, and the file for machines without one. */
export const keyStoreNames = ['keychain', 'secret-service', 'file'] as const;
export type KeyStoreName = (typeof keyStoreNames)[number];

/**
 * A place for secrets of this machine. A name has at most one value; no verb ever prints or logs one, and none stands in
 * an argument, an environment or an error.
 *
 * A place that does not answer in time, is locked or was closed throws `executor_unavailable`: only a value that is
 * certainly not there is `undefined`.
 */
export type KeyVault = {
  readonly store: KeyStoreName;
  /** For people: where the keys are. */
  readonly place: string;
  readonly get: (name: string) => Promise<string | undefined>;
  /** The value is printable ASCII without spaces. */
  readonly set: (name: string, value: string) => Promise<void>;
  /** False when there was none. */
  readonly delete: (name: string) => Promise<boolean>;
};

const PROBE_NAME = 'probe';

/** Why nothing can be kept in a place, found out by keeping something there; undefined where all is well. */
export async function troubleWith(vault: KeyVault, probe: string): Promise<string | undefined> {
  try {
    // First without a value in it: then a program may be quoted with what it says is wrong.
    await vault.get(PROBE_NAME);
    await vault.set(PROBE_NAME, probe);
    const found = await vault.get(PROBE_NAME);
    await vault.delete(PROBE_NAME);
    return found === probe ? undefined : 'it does not give back what it was given';
  } catch (error) {
    return error instanceof SwitchyardError ? error.detail : String(error);
  }
}
