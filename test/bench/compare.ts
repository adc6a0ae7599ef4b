import type {Aim} from './aims.ts';
import {medianOf, pairedRatio, type Measured} from './measure.ts';
import type {Row, Unit} from './report.ts';

export type Wanted = {
  readonly figure: string;
  readonly unit: Unit;
  /** The figure of the rounds on our side, and on the peer's where it has another name there. */
  readonly key: string;
  readonly peerKey?: string;
  readonly peer: string;
  readonly aim?: Aim;
};

/** A row for each wanted figure that both sides have given; nothing for a side that is absent or has failed. */
export function compare(measured: Measured, ours: string, wanted: readonly Wanted[]): readonly Row[] {
  return wanted.flatMap(({figure, unit, key, peerKey = key, peer, aim}): readonly Row[] => {
    const value = medianOf(measured, peer, peerKey);
    if (!measured.rounds.has(ours) || Number.isNaN(value)) return [];
    const ratio = pairedRatio(measured, {side: ours, figure: key}, {side: peer, figure: peerKey});
    const row: Row = {figure, unit, ours: medianOf(measured, ours, key), peer: {name: peer, value, ratio}};
    return [aim === undefined ? row : {...row, aim}];
  });
}

/** One sentence for each side that gave up. */
export function failures({failed}: Measured): readonly string[] {
  return [...failed].map(([side, why]) => `${side} failed: ${why}`);
}
