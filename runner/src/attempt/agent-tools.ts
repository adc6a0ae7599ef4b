import type {Answer, Ask, ToolAccess} from '../agent/driver.ts';
import type {AttemptRef} from './attempt-state.ts';

/** The way of agents without a control channel of their own to our tools. */
export type AgentTools = {
  readonly access: (of: AttemptRef) => Promise<ToolAccess>;
  /** Who decides the calls of this attempt from now on, until the last answer is called. */
  readonly taker: (
    of: AttemptRef,
  ) => Promise<(decide: (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>) => () => void>;
};
