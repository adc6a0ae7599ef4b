import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const portMax = 65_535;

export interface PortBlock {
  readonly first: number;
  readonly last: number;
}

/** Ports that belong to one slot of a runner, so that servers of two attempts do not meet: `base + slot * size` and up. */
export function portBlock(range: {base: number; size: number; slot: number}): PortBlock {
  const {base, size, slot} = range;
  const first = base + slot * size;
  const isSound = [base, size, slot].every(Number.isSafeInteger) && base >= 1024 && size >= 1 && slot >= 0;
  if (!isSound || first + size - 1 > portMax) {
    throw new SwitchyardError(
      'configuration_invalid',
      `Slot ${slot} with ${size} ports from ${base} does not fit between 1024 and ${portMax}.`,
    );
  }
  return {first, last: first + size - 1};
}
