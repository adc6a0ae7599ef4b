const agentPrefix = 'agent=';

/** What a runner has that can start the agent of this driver. */
export function agentLabel(driver: string): string {
  return `${agentPrefix}${driver}`;
}

/** The driver whose agent a label stands for. */
export function agentOfLabel(label: string): string | undefined {
  return label.startsWith(agentPrefix) ? label.slice(agentPrefix.length) : undefined;
}

/** What a runner has whose agents of this driver work under the login of its owner. */
export function loginLabel(driver: string): string {
  return `login=${driver}`;
}

/** Required labels all have to be there. Answers those that are not, in the order of the task. */
export function missingLabels(requires: readonly string[], labels: ReadonlySet<string>): readonly string[] {
  return requires.filter(label => !labels.has(label));
}

/** Preferred labels weigh: an earlier one more than all the later ones together. */
export function preference(prefers: readonly string[], labels: ReadonlySet<string>): number {
  return prefers.reduce((weight, label) => weight * 2 + (labels.has(label) ? 1 : 0), 0);
}
