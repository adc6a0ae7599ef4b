import {lineBytes, linesNow} from './lines.ts';
import {nowUs, percentile, type Figures} from './measure.ts';
import type {Reader} from './reader.ts';

/** A system that takes a log in batches and shows it to one reader while it grows. */
export type LogSystem = {
  readonly name: string;
  /** A new, empty log which the reader follows. */
  readonly open: () => Promise<OpenLog>;
  readonly reader: Reader;
  readonly stop: () => Promise<void>;
};

export type OpenLog = {
  /** Resolves when the batch is durable in the system's own sense. */
  readonly write: (batch: Buffer<ArrayBuffer>) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Longest log of one round: below what the control plane allows for one attempt. */
const logBytesMax = 200 * 1_048_576;

/**
 * Keeps `inFlight` batches of `lines` lines unacknowledged. The round ends when the reader has seen every line: a lost
 * one fails it. Lines a second are the reader's; `age` is from the writing of a line to the reader's sight of it.
 */
export function logLoop(
  system: LogSystem,
  {lines, inFlight}: {lines: number; inFlight: number},
): (lengthMs: number) => Promise<Figures> {
  return async lengthMs => {
    const log = await system.open();
    try {
      const acks: number[] = [];
      let written = 0;
      const beganUs = nowUs();
      const endUs = beganUs + lengthMs * 1_000;
      const lane = async (): Promise<void> => {
        while (nowUs() < endUs && written * lineBytes < logBytesMax) {
          written += lines;
          const atUs = nowUs();
          await log.write(linesNow(lines));
          acks.push(nowUs() - atUs);
        }
      };
      await Promise.all(Array.from({length: inFlight}, lane));
      const {lastUs, ages} = await system.reader.seen(written);
      return {
        rate: (written / (lastUs - beganUs)) * 1_000_000,
        ack: percentile(acks, 0.5),
        age: percentile(ages, 0.5),
        age99: percentile(ages, 0.99),
      };
    } finally {
      await log.close();
    }
  };
}
