import {byteCount} from '@switchyard/shared/policy/byte-size.ts';
import {UsageError} from './usage-error.ts';

const second = 1_000;
const spans = [
  ['d', 86_400 * second],
  ['h', 3_600 * second],
  ['min', 60 * second],
  ['s', second],
] as const;

/** `850 ms`, `1.2 s`, `3 min 5 s`, `2 h 10 min`: two units at most. */
export function duration(ms: number): string {
  if (ms < second) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * second) return `${(ms / second).toFixed(1)} s`;
  const index = spans.findIndex(([, size]) => ms >= size);
  const [unit, size] = spans[index] ?? spans[3];
  const next = spans[index + 1];
  const count = Math.floor(ms / size);
  const left = next === undefined ? 0 : Math.floor((ms - count * size) / next[1]);
  return left === 0 || next === undefined ? `${count} ${unit}` : `${count} ${unit} ${left} ${next[0]}`;
}

/** Date and time of a point in milliseconds, in UTC; a number that no calendar has stands for itself. */
export function moment(ms: number): string {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? `${ms} ms` : at.toISOString();
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: second,
  m: 60 * second,
  min: 60 * second,
  h: 3_600 * second,
  d: 86_400 * second,
};

/** `90s`, `10m`, `2h`, `3d`, `500ms`; a number alone is seconds. Throws `UsageError` for anything else. */
export function parseDuration(option: string, text: string): number {
  const [, number, unit] = /^(\d{1,9})(ms|s|m|min|h|d)?$/.exec(text.trim()) ?? [];
  if (number === undefined)
    throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a time such as 90s, 10m or 2h`);
  return Number(number) * (durationUnits[unit ?? 's'] ?? second);
}

/** `4GB`, `512MiB`; a number alone is bytes. Throws `UsageError` for anything else. */
export function parseBytes(option: string, text: string): number {
  const count = byteCount(text.trim());
  if (count === undefined)
    throw new UsageError(`${option} is ${JSON.stringify(text)}, expected an amount of memory such as 512MB or 4GB`);
  return count;
}

/** A whole number within bounds. */
export function parseCount(option: string, text: string, [least, most]: readonly [number, number]): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a whole number from ${least} to ${most}`);
  return value;
}
