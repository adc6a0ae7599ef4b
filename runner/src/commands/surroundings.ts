import type {ApiClient} from '@switchyard/shared/api/client.ts';
import type {HostMachine} from '../services/end-attempts.ts';
import type {Settings, Flags} from './settings.ts';
import type {Terminal} from './terminal.ts';

/** Everything outside that a command uses; made once, in main.ts. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  /** The checkout or the installed package. */
  readonly repository: string;
  /** The file that a child process of the same program starts. */
  readonly mainFile: string;
  readonly terminal: Terminal;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly randomHex: (bytes: number) => string;
  readonly machine: () => HostMachine;
  /** Standard input as a whole; at most this many characters. */
  readonly readInput: (charactersMax: number) => Promise<string>;
  /** Asks a person without showing the answer; undefined where nobody can be asked. */
  readonly askSecret: (question: string) => Promise<string> | undefined;
  readonly settings: (flags: Flags) => Promise<Settings>;
  /** Throws `unauthorized` where there is no token. */
  readonly client: (flags: Flags) => Promise<ApiClient>;
};

export type CommonOptions = Flags & {readonly json?: boolean | undefined};
/** What a command answers with: its exit code, 0 when it says nothing. */
export type ExitCode = 0 | 1 | 2 | 130;
export type Outcome = Promise<ExitCode | void>;
