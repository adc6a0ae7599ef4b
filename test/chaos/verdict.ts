import {isFinished, type TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {streamsOf} from './byte-stream.ts';
import type {AgentPlan} from './load-plan.ts';
import {logFault, type LogCopy} from './log-check.ts';
import type {Testimony, WitnessLine} from './witness.ts';

/** What is promised, by the name under which a break of it is reported. */
export const promises = {
  lost: 'every acknowledged task ends',
  changed: 'a task ends once, and its end never changes',
  created: 'one idempotency key makes one task',
  overlap: 'never two agents of one task at once',
  started: 'an attempt starts one agent, and a later attempt is never followed by an earlier one',
  log: 'the log is what the agent wrote, byte for byte',
  proof: 'a task that succeeded had an agent that did its work',
  cancel: 'a cancel that was answered ends the task as cancelled',
  witness: 'what agents wrote down can be read',
  leftover: 'nothing is left on the machine',
  service: 'nothing fails for a reason of our own',
} as const;
export type Promised = keyof typeof promises;

export type Violation = {readonly promise: Promised; readonly task: string; readonly detail: string};

/** How the control plane says that a task ended. */
export type TaskEnd = {
  readonly state: TaskState;
  readonly epoch: number;
  /** Attempts whose exit was accepted: the others were given up for a lost lease, or never began. */
  readonly acceptedEpochs: readonly number[];
  /** Entries of its history that say an end. */
  readonly ends: readonly string[];
  /** All of it, for people. */
  readonly history: readonly string[];
  readonly failureCodes: readonly string[];
};

export type TaskEvidence = {
  readonly task: string;
  readonly plan: AgentPlan;
  /** Undefined when the control plane does not know the task. */
  readonly end: TaskEnd | undefined;
  /** States in the order in which they were seen, from the acknowledgement to after everything was started again. */
  readonly sightings: readonly TaskState[];
  readonly testimony: Testimony;
  /** By epoch. */
  readonly logs: ReadonlyMap<number, LogCopy>;
  /** What a cancel was answered with. */
  readonly cancelAnswers: readonly string[];
};

export function judgeTask(evidence: TaskEvidence): Violation[] {
  const {task, end, testimony} = evidence;
  const said = (promise: Promised, details: readonly string[]): Violation[] =>
    details.map(detail => ({promise, task, detail}));
  return [
    ...said('lost', end === undefined ? ['it is unknown'] : isFinished(end.state) ? [] : [`it is ${end.state}`]),
    ...said('changed', changes(evidence)),
    ...said('overlap', overlaps(testimony.lines)),
    ...said('started', wrongStarts(testimony.lines)),
    ...said('log', logFaults(evidence)),
    ...said('proof', unproven(evidence)),
    ...said('cancel', ignoredCancels(evidence)),
    ...said('witness', testimony.unreadable),
    ...said(
      'service',
      (end?.failureCodes ?? []).filter(code => ['internal', 'state_corrupt'].includes(code)),
    ),
  ];
}

/** All tasks that were acknowledged under each key. */
export function judgeKeys(acknowledgements: readonly {readonly key: string; readonly task: string}[]): Violation[] {
  const first = new Map<string, string>();
  return acknowledgements.flatMap(({key, task}) => {
    const known = first.get(key) ?? task;
    first.set(key, known);
    return known === task ? [] : [{promise: 'created' as const, task, detail: `${key} made ${known} before`}];
  });
}

function changes({sightings, end}: TaskEvidence): string[] {
  const from = sightings.findIndex(isFinished);
  const first = sightings[from];
  const later = from === -1 ? [] : sightings.slice(from).filter(state => state !== first);
  const ends = end !== undefined && isFinished(end.state) && end.ends.length !== 1;
  return [
    ...later.map(state => `it was ${first ?? ''} and then ${state}`),
    ...(ends ? [`its history holds ${end.ends.length} ends: ${end.ends.join(', ')}`] : []),
  ];
}

/** The order of lines is the order of writing: a line behind the start of another agent is one of both at once. */
function overlaps(lines: readonly WitnessLine[]): string[] {
  const found = new Map<string, string>();
  const begun: string[] = [];
  for (const {event, pid, epoch, saw, at} of lines) {
    if (event === 'start') begun.push(pid);
    if (saw !== undefined) found.set(`${saw} ${pid}`, `agent ${saw} was alive when ${pid} (e${epoch}) began, at ${at}`);
    const newest = begun.at(-1);
    if (newest !== undefined && newest !== pid)
      found.set(`${pid} ${newest}`, `agent ${pid} (e${epoch}) still wrote after ${newest} had begun, at ${at}`);
  }
  return [...found.values()];
}

function wrongStarts(lines: readonly WitnessLine[]): string[] {
  const starts = lines.filter(({event}) => event === 'start');
  return starts.flatMap(({epoch, at}, index) => {
    const before = starts[index - 1];
    if (before === undefined || before.epoch < epoch) return [];
    const what = before.epoch === epoch ? 'a second time' : `after e${before.epoch}`;
    return [`e${epoch} was started ${what}, at ${at}`];
  });
}

function logFaults({plan, end, testimony, logs}: TaskEvidence): string[] {
  const streams = streamsOf(plan.stream);
  return [...logs].flatMap(([epoch, log]) => {
    const isAccepted = end?.acceptedEpochs.includes(epoch) === true;
    // An accepted attempt owes everything that its agent got out; one that lost its lease may have lost its end.
    const written = isAccepted ? testimony.lines.filter(line => line.epoch === epoch) : [];
    const least = {
      out: Math.max(0, ...written.map(({out = 0}) => out)),
      err: Math.max(0, ...written.map(({err = 0}) => err)),
    };
    // An attempt that was cancelled before its `go` has no log to seal.
    const isOpen = isAccepted && !log.isSealed && (log.bytes.length > 0 || written.length > 0);
    const fault = logFault(log, streams, least) ?? (isOpen ? 'it was not sealed' : undefined);
    return fault === undefined ? [] : [`e${epoch}${isAccepted ? ', whose exit was accepted' : ''}: ${fault}`];
  });
}

function unproven({plan, end, testimony}: TaskEvidence): string[] {
  if (end?.state !== 'succeeded') return [];
  const {out, err} = streamsOf(plan.stream);
  const proof = testimony.lines.find(({event, epoch}) => event === 'end' && epoch === end.epoch);
  if (proof === undefined) return [`no agent of e${end.epoch} came to its end`];
  if (proof.code !== 0) return [`the agent of e${end.epoch} ended with ${proof.code ?? 'a signal'}`];
  const isWhole = proof.out === out.length && proof.err === err.length;
  return isWhole ? [] : [`the agent of e${end.epoch} had not written everything`];
}

function ignoredCancels({cancelAnswers, end}: TaskEvidence): string[] {
  const isPromised = cancelAnswers.some(state => state === 'cancelling' || state === 'cancelled');
  return isPromised && end !== undefined && isFinished(end.state) && end.state !== 'cancelled'
    ? [`it was answered with ${cancelAnswers.join(', ')} and ended as ${end.state}`]
    : [];
}
