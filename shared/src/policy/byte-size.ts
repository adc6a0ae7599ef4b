const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1_024,
  m: 1_048_576,
  g: 1_073_741_824,
  t: 1_099_511_627_776,
};

/**
 * `512MB`, `1.5 GiB`, `4g`, `536870912`: a unit is a multiple of 1,024 however it is spelled, as programs that hold memory
 * count. Undefined for anything else.
 */
export function byteCount(text: string): number | undefined {
  const {number, unit = ''} =
    /^(?<number>\d{1,15}(?:\.\d{1,3})?) ?(?:(?<unit>[kmgt])(?:i?b)?|b)?$/i.exec(text)?.groups ?? {};
  if (number === undefined) return undefined;
  const count = Math.floor(Number(number) * (unitBytes[unit.toLowerCase()] ?? 1));
  return Number.isSafeInteger(count) ? count : undefined;
}

/** For people: `512 B`, `1.5 KiB`, `40 MiB`. */
export function byteText(count: number): string {
  if (count < 1_024) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let [value, index] = [count / 1_024, 0];
  for (; value >= 1_024 && index < units.length - 1; index += 1) value /= 1_024;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[index] ?? ''}`;
}
