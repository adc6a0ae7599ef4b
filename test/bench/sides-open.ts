import {progress} from './measure.ts';
import type {Outcome} from './report.ts';

export type Starter<Side> = {
  readonly name: string;
  /** True, or why this side cannot run here. */
  readonly why: true | string;
  readonly start: () => Promise<Side>;
};

type Stoppable = {readonly stop: () => Promise<void>};

type Part = Pick<Outcome, 'rows' | 'absent'>;

/**
 * Starts what can run, measures it and stops it again. A side that is not here or fails to start is absent, with the
 * reason, and the others go on.
 */
export async function withSides<Side extends Stoppable>(
  starters: readonly Starter<Side>[],
  measure: (sides: readonly Side[]) => Promise<Part>,
): Promise<Part> {
  const sides: Side[] = [];
  const absent: string[] = [];
  try {
    for (const {name, why, start} of starters) {
      if (why !== true) {
        absent.push(`${name}: ${why}`);
        continue;
      }
      progress(`starting ${name}`);
      try {
        sides.push(await start());
      } catch (error) {
        absent.push(`${name} did not start: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const outcome = await measure(sides);
    return {rows: outcome.rows, absent: [...absent, ...outcome.absent]};
  } finally {
    for (const side of sides.toReversed()) await side.stop();
  }
}
