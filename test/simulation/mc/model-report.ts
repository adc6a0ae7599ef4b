import type {Counterexample, Verdict} from './checker.ts';
import type {Variant} from './lease-designs.ts';
import type {Bounds, LeaseState, Runner, Server} from './lease-state.ts';

/** What the model says of one variant. `isPartial`: the search ended at the first breach. */
export type Finding = {readonly variant: Variant; readonly verdict: Verdict<LeaseState>; readonly isPartial: boolean};

const number = new Intl.NumberFormat('en');

export function verdictText({verdict: {broken}}: Finding): string {
  if (broken.length === 0) return 'holds, and every state can still end';
  return broken.map(({broken: what, trace}) => `${what} (${trace.length} steps)`).join(', ');
}

export function isAsKnown({variant, verdict}: Finding): boolean {
  return variant.isSafe === (verdict.broken.length === 0);
}

export function boundsText({leaseTicks, messagesMax, epochsMax}: Bounds): string {
  return `a lease of ${leaseTicks} ticks, ${messagesMax} messages in flight, ${epochsMax} epochs`;
}

const headings = ['variant', 'states', 'verdict', 'what it is'] as const;

function cells(finding: Finding): readonly string[] {
  const {variant, verdict, isPartial} = finding;
  const surprise = isAsKnown(finding) ? '' : ' (NOT what is known of it)';
  const states = `${number.format(verdict.states)}${isPartial ? '+' : ''}`;
  return [variant.name, states, verdictText(finding) + surprise, variant.summary];
}

export function tableText(findings: readonly Finding[]): string {
  return aligned([headings, ...findings.map(cells)], ['left', 'right', 'left', 'left']);
}

export function tableMarkdown(findings: readonly Finding[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  const bold = (finding: Finding): readonly string[] =>
    cells(finding).map((cell, column) => (column === 2 && finding.variant.isSafe ? `**${cell}**` : cell));
  return [line(headings), '| --- | ---: | --- | --- |', ...findings.map(finding => line(bold(finding)))].join('\n');
}

/** A counterexample of a variant step by step, with the world as it is after each. */
export function traceText({broken, trace}: Counterexample<LeaseState>, {design: {selfFence}}: Variant): string {
  const rows = trace.map(({words, to: {server, runners, network}}, index) => [
    String(index + 1),
    words,
    serverText(server),
    runnerText(runners.A, selfFence),
    runnerText(runners.B, selfFence),
    network.map(({kind, epoch, runner}) => `${kind} ${epoch} ${runner}`).join(', '),
  ]);
  const heading = ['', `${broken}: ${trace.length} steps`, 'server', 'A', 'B', 'in flight'];
  return aligned([heading, ...rows], ['right', 'left', 'left', 'left', 'left', 'left']);
}

function serverText({phase, epoch, holder, leaseLeft}: Server): string {
  switch (phase) {
    case 'offered':
      return `offered ${epoch} to ${holder}`;
    case 'leased':
      return `leased ${epoch} to ${holder}, ${leaseLeft} left`;
    case 'free':
    case 'done':
    case 'spent':
      return phase;
    case 'doneTwice':
      return 'done twice';
  }
}

function runnerText({phase, epoch, leaseLeft, isSuspended}: Runner, hasDeadline: boolean): string {
  const left = phase === 'running' && hasDeadline ? `, ${leaseLeft} left` : '';
  const text = phase === 'idle' ? phase : `${phase} ${epoch}${left}`;
  return isSuspended ? `(${text})` : text;
}

export function findingJson(finding: Finding): object {
  const {variant, verdict, isPartial} = finding;
  const broken = verdict.broken.map(({broken: what, trace}) => ({what, steps: trace.map(({words}) => words)}));
  return {...variant, states: verdict.states, isPartial, depth: verdict.depth, isAsKnown: isAsKnown(finding), broken};
}

function aligned(rows: readonly (readonly string[])[], sides: readonly ('left' | 'right')[]): string {
  const widths = sides.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  return rows
    .map(row =>
      row
        .map((cell, column) =>
          sides[column] === 'left' ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
