import {execa} from 'execa';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import type {LogCopy} from './log-check.ts';
import type {Load} from './load.ts';
import type {Observer} from './observer.ts';
import {judgeTask, type TaskEnd, type TaskEvidence, type Violation} from './verdict.ts';
import {readWitnesses, type Testimony, type WitnessLine} from './witness.ts';
import type {Yard} from './yard.ts';

/** What one task came to. Its log is not kept: there may be thousands. */
export type Judged = {
  readonly task: string;
  readonly end: TaskEnd | undefined;
  readonly lines: readonly WitnessLine[];
  readonly logBytes: number;
  readonly violations: readonly Violation[];
};

type Sources = {readonly yard: Yard; readonly load: Load; readonly observer: Observer};

/** Gathers the evidence of every acknowledged task, one after the other, and judges it. */
export async function judgeAll({yard, load, observer}: Sources): Promise<Judged[]> {
  const witnesses = readWitnesses(yard.witnessFolder);
  const judged: Judged[] = [];
  for (const [task, {agent: plan}] of load.acknowledgedPlans()) {
    const end = await observer.end(taskIdSchema.parse(task));
    const testimony = witnesses.get(task) ?? {lines: [], unreadable: []};
    const evidence: TaskEvidence = {
      task,
      plan,
      end,
      sightings: observer.sightings(task),
      testimony,
      logs: await logsOf(task, {observer, testimony, end}),
      cancelAnswers: load.cancels.filter(each => each.task === task).map(({state}) => state),
    };
    const logBytes = [...evidence.logs.values()].reduce((sum, {bytes}) => sum + bytes.length, 0);
    const branches =
      plan.changes && end?.state === 'succeeded' ? await missingBranch(yard, {task, epoch: end.epoch}) : [];
    judged.push({task, end, lines: testimony.lines, logBytes, violations: [...judgeTask(evidence), ...branches]});
  }
  return judged;
}

/** Tasks that nobody was told of, although every submission was repeated until it was answered. */
export function strangers({yard, load, observer}: Sources): Violation[] {
  const known = load.acknowledgedPlans();
  return [...new Set([...readWitnesses(yard.witnessFolder).keys(), ...observer.seen()])]
    .filter(task => !known.has(task))
    .map(task => ({promise: 'created', task, detail: 'it was never acknowledged'}));
}

type LogParts = {readonly observer: Observer; readonly testimony: Testimony; readonly end: TaskEnd | undefined};

/** Of every attempt that had an agent, and of those whose exit was accepted. */
async function logsOf(task: string, {observer, testimony, end}: LogParts): Promise<Map<number, LogCopy>> {
  const logs = new Map<number, LogCopy>();
  if (end === undefined) return logs;
  const epochs = new Set([...testimony.lines.map(({epoch}) => epoch), ...end.acceptedEpochs]);
  for (const epoch of epochs) logs.set(epoch, await observer.log(task, epoch));
  return logs;
}

async function missingBranch(
  {repositoryPath}: Yard,
  {task, epoch}: {readonly task: string; readonly epoch: number},
): Promise<Violation[]> {
  const branch = `switchyard/${task}/e${epoch}`;
  const {stdout} = await execa('git', ['-C', repositoryPath, 'rev-list', '--count', `main..${branch}`], {
    reject: false,
  });
  if (stdout === '1') return [];
  return [{promise: 'proof', task, detail: `${branch} has ${stdout === '' ? 'no' : stdout} commits at the origin`}];
}
