/** Dollars as people and programs write them: a decimal text, so that no cent is lost in a binary fraction. */
export const usdPattern = /^(?:0|[1-9]\d{0,6})(?:\.\d{1,6})?$/;

const microsPerUsd = 1_000_000;

/** Millionths of a dollar. The text has to match `usdPattern`. */
export function microsOfUsd(usd: string): number {
  const [whole = '0', fraction = ''] = usd.split('.');
  return Number(whole) * microsPerUsd + Number(fraction.padEnd(6, '0'));
}

/** `1234500` as `1.2345`; two decimals at least. */
export function usdOfMicros(micros: number): string {
  const whole = Math.floor(micros / microsPerUsd);
  const fraction = String(micros - whole * microsPerUsd).padStart(6, '0');
  return `${whole}.${fraction.replace(/0{1,4}$/, '')}`;
}
