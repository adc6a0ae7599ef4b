import {
  againstProtocol,
  memoryProtocol,
  modelsProtocol,
  spendingProtocol,
} from '@switchyard/shared/protocol/version.ts';

/** The label of every runner that can keep to a budget. */
export const meterLabel = 'switchyard=meter';

/** The label of every runner that understands how much memory a task may hold. */
export const memoryLabel = 'switchyard=memory';

/** The label of every runner that opens models to a command. */
export const modelsLabel = 'switchyard=models';

/** The label of every runner that tells a change against the branch that its task names. */
export const againstLabel = 'switchyard=against';

/** What runners understand from a version of the protocol on, as labels that only the Fleet gives and sees. */
const versionLabels = [
  {label: meterLabel, since: spendingProtocol, purpose: 'to keep to a budget'},
  {label: memoryLabel, since: memoryProtocol, purpose: 'to limit its memory'},
  {label: modelsLabel, since: modelsProtocol, purpose: 'to open models to its command'},
  {label: againstLabel, since: againstProtocol, purpose: 'to tell a change against a branch'},
] as const;

export function versionLabelsOf(protocol: number): readonly string[] {
  return versionLabels.filter(({since}) => protocol >= since).map(({label}) => label);
}

export function isVersionLabel(label: string): boolean {
  return versionLabels.some(each => each.label === label);
}

/** Why none of these runners is good enough, by the first of what is required that none of them understands. */
export function versionReason(requires: readonly string[], runners: readonly ReadonlySet<string>[]): string | null {
  const missing = versionLabels.find(
    ({label}) => requires.includes(label) && runners.every(labels => !labels.has(label)),
  );
  return missing === undefined
    ? null
    : `no connected runner that matches is new enough ${missing.purpose}: upgrade one`;
}
