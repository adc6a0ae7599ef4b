import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import type {MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import type {Answer, Ask, DriverInput, DriverPlan, ProcessEnd, Reading} from '../agent/driver.ts';
import {withDriver} from '../agent/drivers.ts';
import type {Ruling} from '../agent/ruling.ts';
import {toolGate, USUAL} from '../agent/tool-gate.ts';
import type {Executor} from '../executor/executor.ts';
import type {Deadline} from '../executor/run-directory.ts';
import type {RunStatus} from '../executor/run-status.ts';
import {AgentSession, type NumberedEvent} from './agent-session.ts';
import {askPerson, type PersonPorts} from './ask-person.ts';
import type {AttemptLog} from './attempt-log.ts';
import {agentOutput, runProgram, type Program} from './attempt-program.ts';
import {AUTHOR} from './attempt-tree.ts';
import type {AttemptPlan} from './attempt-work.ts';
import {roleComplaint} from './role-outcome.ts';
import {runChecksRound} from './checks-run.ts';
import {maskedEvent, maskedReading} from './masked-words.ts';
import {claimedLines, claimLine} from './sent-lines.ts';
import {settleHome} from './settled-home.ts';
import {withWaitedCall, type WaitedCall} from './waited-call.ts';
import {turnGate, type TurnGate, type TurnGateOptions} from './turn-gate.ts';

const SHOWN_CHARACTERS_MAX = 500;

export type AgentRunOptions = {
  readonly plan: AttemptPlan;
  readonly input: DriverInput;
  readonly runDir: string;
  readonly cwd: string;
  readonly deadline: Deadline;
  /** What each program of the attempt may hold; null where nothing limits it. */
  readonly memory: MemoryLimit | null;
  /** The agent was never started: from then on its home belongs to it, and nothing is written there any more. */
  readonly isNew: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** What tells whether the work is complete. */
  readonly work: Pick<TurnGateOptions, 'trees' | 'worktree' | 'onChecked'> & {
    /** Of programs that are started later than the agent. */
    readonly deadline: () => Deadline;
  };
  readonly executor: Executor;
  readonly log: AttemptLog;
  readonly signal: AbortSignal;
  /** What the charter of this machine says to a call; null where it has none. */
  readonly ruling: ((call: ToolCall) => Ruling) | null;
  readonly people: Omit<PersonPorts, 'mask' | 'over'>;
  /** The call that an earlier attempt was put off with, where this agent makes it again. */
  readonly waited: WaitedCall | null;
  /** Has calls of our tools that come over HTTP decided here, until the answer is called. */
  readonly takeCalls: (decide: (ask: Ask, withdrawn: AbortSignal) => Promise<Answer>) => () => void;
  /** A line of progress for people, in the log too. */
  readonly tell: (detail: string) => Promise<void>;
  readonly onEvent: (event: NumberedEvent) => void;
  /** Ends the agent's process: a moment for its farewell, then signals. */
  readonly finish: () => Promise<void>;
};

export type AgentRun = {
  /** Resolves when nothing of the agent writes any more; rejects when the signal aborts. */
  readonly ended: Promise<{readonly status: RunStatus; readonly read: (end: ProcessEnd) => Reading}>;
  /** False when the agent takes no message, or none any more. */
  readonly message: AgentSession<unknown>['message'];
};

/** Starts the agent of an attempt unless it was started, and keeps up the conversation with it until it has ended. */
export function startAgent(options: AgentRunOptions): AgentRun {
  const {plan, input, runDir, executor, log, tell, ruling, people} = options;
  const mayEnd = endGate(options);
  return withDriver(plan.spec, driver => {
    const planned = driver.plan(input);
    const broken = Promise.withResolvers<never>();
    const over = new AbortController();
    const decide = toolGate({
      spec: plan.spec,
      ruling,
      progress: tell,
      mayEnd: async ask => mayEnd(ask, AbortSignal.any([options.signal, over.signal])),
      askPerson: async (question, how) =>
        askPerson(
          {...people, mask: text => log.mask(text), over: AbortSignal.any([options.signal, over.signal])},
          question,
          how,
        ),
    });
    const endCalls = options.takeCalls(decide);
    const session = new AgentSession(driver, input, {
      write: async bytes => executor.write(runDir, bytes),
      claim: async id => claimLine(runDir, id),
      claimed: async () => claimedLines(runDir),
      decide: withWaitedCall(decide, options.waited, runDir),
      finish: options.finish,
      onEvent: event => options.onEvent(maskedEvent(log, event)),
      onDecision: async (ask, answer) => {
        const line = ask.kind === 'permission' ? decisionLine(ask.tool, answer) : undefined;
        if (line !== undefined) await log.note(line);
      },
      onFailure: error => broken.reject(error),
    });
    const run = async (): Promise<RunStatus> => {
      if (options.isNew) {
        refuseKnown(planned.calls ?? [], ruling);
        await settleHome(options.work.trees.context, input.homePath, planned);
      }
      return runProgram(plan, programOf(options, planned), {
        host: {executor, log, signal: options.signal},
        watch: async chunks => session.follow(chunks),
      });
    };
    return {
      ended: Promise.race([run(), broken.promise])
        .finally(() => {
          over.abort();
          endCalls();
        })
        .then(status => ({status, read: end => maskedReading(log, session.end(end))})),
      message: async (id, text, how) => session.message(id, text, how),
    };
  });
}

/** Nobody can be asked on the way, so what a person would have to decide is refused like what is rejected. */
function refuseKnown(calls: NonNullable<DriverPlan['calls']>, ruling: AgentRunOptions['ruling']): void {
  for (const call of calls) {
    const ruled = ruling?.(call);
    if (ruled?.decision === 'reject' || ruled?.decision === 'escalate')
      throw new SwitchyardError('policy_refused', `${ruled.reason}: ${call.tool} ${shownInput(call)}`);
  }
}

const shownInput = ({input}: NonNullable<DriverPlan['calls']>[number]): string =>
  JSON.stringify(input).slice(0, SHOWN_CHARACTERS_MAX);

function endGate(options: AgentRunOptions): TurnGate {
  const {plan, input, runDir, cwd, environment, memory, executor, log, tell, work} = options;
  return turnGate({
    ...work,
    plan,
    runDir,
    tell,
    outcomeComplaint: said => roleComplaint(plan.spec, said),
    runChecks: async (round, signal) => {
      const host = {executor, log, signal};
      const {nodePath} = input;
      const run = {runDir, cwd, deadline: work.deadline(), memory, nodePath, environment, host, tell};
      return runChecksRound(plan, run, round);
    },
  });
}

/** For people, of what was not simply in the profile of the task. */
function decisionLine(tool: string, {kind, ...answer}: Answer): string | undefined {
  const reason = 'reason' in answer ? answer.reason : '';
  if (kind === 'deny') return `denied ${tool}: ${reason}`;
  if (kind === 'defer') return `put off ${tool}, until a person has decided: ${reason}`;
  return kind === 'allow' && reason !== USUAL ? `allowed ${tool}: ${reason}` : undefined;
}

function programOf(
  {plan, input, runDir, cwd, deadline, memory, environment}: AgentRunOptions,
  {argv, env, stdin}: DriverPlan,
): Program {
  return {
    output: agentOutput(runDir),
    argv: commandLine(argv, stdin === 'prompt' ? input.promptPath : undefined),
    env: {
      ...environment,
      ...gitIdentity,
      ...env,
      SWITCHYARD_TASK: plan.task,
      SWITCHYARD_EPOCH: String(plan.epoch),
    },
    cwd,
    input: stdin === 'stream' ? 'stream' : 'none',
    channels: 'separate',
    deadline,
    memoryBytesMax: memory?.bytes,
  };
}

/** An agent's home holds no settings of git, so that its own commits would be refused without a name. */
const gitIdentity = {
  GIT_AUTHOR_NAME: AUTHOR.name,
  GIT_AUTHOR_EMAIL: AUTHOR.email,
  GIT_COMMITTER_NAME: AUTHOR.name,
  GIT_COMMITTER_EMAIL: AUTHOR.email,
  // A repository can hold another one, with settings and hooks, that git would take for its own further down.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'safe.bareRepository',
  GIT_CONFIG_VALUE_0: 'explicit',
};

/** The prompt as standard input, by a shell that reads only its own constant text: it survives any restart of ours. */
function commandLine(argv: readonly string[], promptPath: string | undefined): readonly [string, ...string[]] {
  const [file = '', ...rest] = argv;
  if (promptPath === undefined) return [file, ...rest];
  return ['/bin/sh', '-c', 'input=$1; shift; exec "$@" <"$input"', 'sh', promptPath, file, ...rest];
}
