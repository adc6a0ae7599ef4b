import * as z from 'zod';
import {epochSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {attemptStates} from '@switchyard/shared/machine/attempt-machine.ts';
import {attemptResultSchema, gitEvidenceSchema, statedOutcomeSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {allowanceSchema, type Allowance} from '@switchyard/shared/protocol/spending.ts';
import type {AttemptPlan} from './attempt-work.ts';

/** Times are milliseconds of the boot clock of this machine, which counts sleep. */
const bootTime = z.number();

const agentEndSchema = z.strictObject({
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  summary: z.string().nullable(),
  prompt: z.string().nullable().optional(),
  result: attemptResultSchema.nullable(),
});

const sealedSchema = z.strictObject({
  length: z.int().nonnegative(),
  sha256: z.string(),
  receipt: z.string().nullable(),
  dropped: z.int().nonnegative(),
});

/** The verbs of the work port that are called for an effect and answer later. */
export const workVerbs = ['prepare', 'run', 'finish', 'stop', 'kill', 'seal', 'clean', 'sign'] as const;
export type WorkVerb = (typeof workVerbs)[number];

/** All that the runner knows of one attempt: the row of the journal, so it must survive a restart as it is. */
export const attemptSchema = z.strictObject({
  task: taskIdSchema,
  epoch: epochSchema,
  state: z.enum(attemptStates),
  spec: taskSpecSchema,
  branch: z.string(),
  /** What the dispatch lets it spend; null where no budget holds. */
  allowance: allowanceSchema.nullable().default(null),
  /** Opens the log on the server; arrives with `go`. */
  logTicket: z.string().nullable(),
  /** When the accept was sent first and last. Null after a reboot: an echo of another boot must not count. */
  firstAcceptBootMs: bootTime.nullable(),
  lastAcceptBootMs: bootTime.nullable(),
  /** The end of the lease. Null: there is none that this boot knows, so nothing may run until the server keeps it. */
  deadlineBootMs: bootTime.nullable(),
  /** True while the next verb waits: for a lease, or for an older attempt of the task to be dead. */
  isHeldBack: z.boolean(),
  /** True once every process of the attempt is known to have ended. */
  isDead: z.boolean(),
  goneWhy: z.string().nullable(),
  goBootMs: bootTime.nullable(),
  agentStartBootMs: bootTime.nullable(),
  agentEndBootMs: bootTime.nullable(),
  endBootMs: bootTime.nullable(),
  /** When the grace of a stop ends. */
  stopKillBootMs: bootTime.nullable(),
  agentEnd: agentEndSchema.nullable(),
  /** How it ended. Decided once: what happens later does not change it. */
  result: attemptResultSchema.nullable(),
  git: gitEvidenceSchema.nullable(),
  outcome: statedOutcomeSchema.nullable().default(null),
  sealed: sealedSchema.nullable(),
  /** The signed exit record, a compact JWS. */
  record: z.string().nullable(),
  exitSentBootMs: bootTime.nullable(),
  /** Whether the agent was told that its time is nearly used up. */
  isWarned: z.boolean().default(false),
  /** Messages of people, by sequence number: null while the delivery is under way. */
  inputs: z.array(z.strictObject({seq: z.int(), delivered: z.boolean().nullable()})),
  /** A verb that failed and is tried again; no time while the new try is under way. */
  retry: z.strictObject({verb: z.enum(workVerbs), atBootMs: bootTime.nullable(), count: z.int()}).nullable(),
});
export type Attempt = z.output<typeof attemptSchema>;

export const inputsKept = 32;

export type AttemptRef = {readonly task: string; readonly epoch: number};

export function attemptKey({task, epoch}: AttemptRef): string {
  return `${task}/e${epoch}`;
}

export function planOf(attempt: Attempt): AttemptPlan {
  return {
    task: attempt.task,
    epoch: attempt.epoch,
    spec: attempt.spec,
    branch: attempt.branch,
    logTicket: attempt.logTicket ?? '',
  };
}

/** A fresh attempt: its envelope was verified, nobody has been told. */
export function newAttempt(
  plan: Pick<Attempt, 'task' | 'epoch' | 'spec' | 'branch'> & {readonly allowance?: Allowance | null},
): Attempt {
  return {
    allowance: null,
    ...plan,
    state: 'offered',
    logTicket: null,
    firstAcceptBootMs: null,
    lastAcceptBootMs: null,
    deadlineBootMs: null,
    isHeldBack: false,
    isDead: true,
    goneWhy: null,
    goBootMs: null,
    agentStartBootMs: null,
    agentEndBootMs: null,
    endBootMs: null,
    stopKillBootMs: null,
    agentEnd: null,
    result: null,
    git: null,
    outcome: null,
    sealed: null,
    record: null,
    exitSentBootMs: null,
    isWarned: false,
    inputs: [],
    retry: null,
  };
}
