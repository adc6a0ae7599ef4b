import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import type {Trial} from './trial.ts';

/** One thing that every runner must do, and how it is seen. */
export type Scenario = {
  readonly id: string;
  /** What the runner must do, in a sentence; docs/conformance.md lists them. */
  readonly rule: string;
  readonly config?: LeaseConfig;
  /** Throws `Misconduct` with what was wrong. */
  readonly run: (trial: Trial) => Promise<void>;
};
