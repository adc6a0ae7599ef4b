import type {AgentEvent, Driver, ProcessEnd, Reading} from '../agent/driver.ts';
import {LineSplitter} from './line-splitter.ts';

export type NumberedEvent = AgentEvent & {
  /** Place among the events of the attempt: reading the output again gives the same event the same number. */
  readonly seq: number;
};

/** Folds the output of an agent through its driver, from the first byte on, however often a runner starts over. */
export function readAgent<State>(
  driver: Driver<State>,
  onEvent: (event: NumberedEvent) => void,
): {
  readonly follow: (chunks: AsyncIterable<Uint8Array>) => Promise<void>;
  readonly end: (end: ProcessEnd) => Reading;
} {
  const splitter = new LineSplitter();
  let state = driver.initial;
  let seq = 0;
  const take = (lines: readonly string[]): void => {
    for (const line of lines) {
      const decoded = driver.decode(state, line);
      state = decoded.state;
      for (const event of decoded.events) onEvent({...event, seq: seq++});
    }
  };
  return {
    follow: async chunks => {
      for await (const chunk of chunks) take(splitter.push(chunk));
      take(splitter.end());
    },
    end: end => driver.read(state, end),
  };
}
