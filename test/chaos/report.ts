import type {Judged} from './evidence.ts';
import type {ChaosOptions} from './options.ts';
import type {Moment, Timeline} from './timeline.ts';
import {promises, type Promised, type Violation} from './verdict.ts';

export type Figures = {
  readonly rounds: number;
  /** While there were faults. */
  readonly seconds: number;
  /** From the end of the faults until the last task had ended. */
  readonly restSeconds: number;
  /** From then until the runners had cleaned up. */
  readonly cleanSeconds: number;
  readonly tasks: number;
  readonly submissions: number;
  readonly ends: Readonly<Record<string, number>>;
  readonly agentsStarted: number;
  readonly attemptsPerTaskMost: number;
  readonly logBytes: number;
  readonly faults: Readonly<Record<string, number>>;
};

export type Report = {
  readonly options: ChaosOptions;
  readonly figures: Figures;
  readonly skipped: readonly string[];
  readonly violations: readonly (Violation & Circumstances)[];
  /** Where the evidence lies, when there is any to look at. */
  readonly folder: string;
};

export type Circumstances = {
  /** What happened while the agents of the task lived, and a little before and after: the first suspects. */
  readonly around: readonly Moment[];
  /** What the control plane says of the task. */
  readonly history: readonly string[];
};

export function circumstances({task}: Violation, judged: readonly Judged[], timeline: Timeline): Circumstances {
  const known = judged.find(each => each.task === task);
  const history = known?.end?.history ?? [];
  const times = known?.lines.flatMap(({at}) => (at === 0 ? [] : [at])) ?? [];
  if (times.length === 0) return {around: [], history};
  const around = timeline.between(Math.min(...times) - marginMs, Math.max(...times) + marginMs).slice(0, momentsMax);
  return {around, history};
}

const marginMs = 10_000;
const momentsMax = 200;

export function reportText({figures, skipped, violations, folder, options}: Report): string {
  const {rounds, seconds, restSeconds, tasks, submissions, ends, faults} = figures;
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const rows = (Object.keys(promises) as Promised[]).map(promise => {
    const count = violations.filter(each => each.promise === promise).length;
    return `  ${count === 0 ? 'held  ' : 'BROKEN'}  ${promises[promise]}${count === 0 ? '' : ` (${count} times)`}`;
  });
  return [
    `seed ${options.seed}, ${rounds} rounds in ${seconds} s, at rest ${restSeconds} s after the last fault, clean ${figures.cleanSeconds} s later`,
    `faults: ${counts(faults)}`,
    `tasks: ${tasks} by ${submissions} submissions; ended as ${counts(ends)}`,
    `agents: ${figures.agentsStarted} started, at most ${figures.attemptsPerTaskMost} for one task; ${figures.logBytes} bytes of log compared`,
    ...skipped.map(line => `skipped: ${line}`),
    '',
    ...rows,
    ...violations.slice(0, 20).map(({promise, task, detail}) => `\n${promise} ${task}\n  ${detail}`),
    '',
    violations.length === 0 ? 'Every promise held.' : `${violations.length} violations; the evidence is in ${folder}`,
  ].join('\n');
}

export function reportJson({options, figures, skipped, violations, folder}: Report): string {
  const {seed} = options;
  const listed = violations.map(({promise, task, detail}) => ({promise, task, detail}));
  const evidence = violations.length === 0 ? {} : {folder};
  return JSON.stringify({seed, ...figures, skipped, violations: listed, ...evidence});
}
