import type {Line} from '../fixtures/conversation.ts';
import type {Scenario} from './scenario.ts';
import {Misconduct, Trial} from './trial.ts';

export type Judgement = {
  readonly id: string;
  readonly rule: string;
  readonly took: number;
  /** Undefined when the runner did what it must. */
  readonly fault: string | undefined;
  /** The conversation around the fault, and the last words of the process, a line each. */
  readonly evidence: readonly string[];
};

const linesShown = 25;
const outputLinesShown = 5;
const textCharactersMax = 220;

/** One scenario with a runner of its own; whoever knows that it fails need not be patient. A fault of the checker itself throws. */
export async function judgeScenario(
  scenario: Scenario,
  command: readonly string[],
  patience?: number,
): Promise<Judgement> {
  const trial = await Trial.open(command, scenario.config);
  if (patience !== undefined) trial.patience = patience;
  const begun = performance.now();
  try {
    const fault = await faultOf(scenario, trial);
    const took = performance.now() - begun;
    const evidence = fault === undefined ? [] : evidenceOf(trial, begun);
    return {id: scenario.id, rule: scenario.rule, took, fault, evidence};
  } finally {
    await trial.close();
  }
}

async function faultOf(scenario: Scenario, trial: Trial): Promise<string | undefined> {
  try {
    await scenario.run(trial);
  } catch (error) {
    if (!(error instanceof Misconduct)) throw error;
    const {ended} = trial.runner;
    return [error.message, ...trial.plane.complaints, ...(ended === undefined ? [] : [ended])].join('; ');
  }
  const [complaint] = trial.plane.complaints;
  return complaint === undefined ? undefined : `the control plane refused what it said: ${complaint}`;
}

function evidenceOf({lines, runner}: Trial, begunMs: number): readonly string[] {
  const said = lines.slice(-linesShown).map(line => shown(line, begunMs));
  const words = runner.output.trimEnd().split('\n').slice(-outputLinesShown);
  return [...said, ...words.filter(word => word !== '').map(word => `output: ${word.slice(0, textCharactersMax)}`)];
}

function shown(line: Line, begunMs: number): string {
  const {atMs, from, on, over} = line;
  const seconds = ((atMs - begunMs) / 1_000).toFixed(3).padStart(7);
  const where = `${on === 'control' ? 'control' : 'log'}${over === 'request' ? ' (request)' : ''}`;
  return `${seconds} ${from === 'runner' ? '->' : '<-'} ${where}: ${textOf(line)}`;
}

function textOf(line: Line): string {
  if (line.kind === 'frame') return `frame ${line.frame.offset}..${line.frame.offset + line.frame.bytes.length}`;
  if (line.kind !== 'message') return `${line.kind} ${line.detail}`;
  const text = JSON.stringify(line.message);
  return text.length > textCharactersMax ? `${text.slice(0, textCharactersMax)}…` : text;
}
