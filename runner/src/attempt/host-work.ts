import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import type {MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {taskPrompt} from '@switchyard/shared/prompts/task-prompt.ts';
import {programOf, providersOf} from '../agent/drivers.ts';
import {isTreeAdopted, leave, placed, takeUp, workingDirectory} from './resumed-tree.ts';
import {describeEnd, lastWord, processEnd} from './run-end.ts';
import {AgentMail} from './agent-mail.ts';
import {startAgent} from './agent-run.ts';
import type {ModelAccess, OwnLogin} from '../agent/driver.ts';
import type {Ruling} from '../agent/ruling.ts';
import type {ProviderName} from '../agent/proxy/provider.ts';
import type {Executor} from '../executor/executor.ts';
import {createRunDirectory, readRunFile, runFiles, type Deadline} from '../executor/run-directory.ts';
import {discard} from '../worktree/remove.ts';
import type {PersonPorts} from './ask-person.ts';
import {AttemptLog, type AttemptLogOptions} from './attempt-log.ts';
import {keepAgentHome, readAgentHome, sessionLeft} from './agent-home.ts';
import {agentHomeOf, PROMPT_FILE, runDirectoryOf, scratchDirectoryOf} from './attempt-paths.ts';
import {checksDirectories, endRounds, runChecks} from './checks-run.ts';
import {agentOutput, checksOutput, moveOutput} from './attempt-program.ts';
import {farewell, isOver, overWithin} from './program-life.ts';
import {findTree, instructionsOf, prepareTree, treeOfCommit, type Trees} from './attempt-tree.ts';
import type {AgentTools} from './agent-tools.ts';
import type {AgentEnd, AttemptPlan, AttemptWork, Completion, Said, SealedLog, WorkObserver} from './attempt-work.ts';
import {complete} from './completion.ts';
import {roleEnd} from './role-outcome.ts';
import {notedPromptVersion, notePromptVersion} from './role-prompt.ts';
import {changeOf} from './told-change.ts';
import {timeLeft} from './time-left.ts';
import {readPrompt, startLine, writePrompt} from './told-prompt.ts';

export type HostWorkOptions = {
  readonly stateDirectory: string;
  readonly executor: Executor;
  readonly trees: Trees;
  readonly observer: WorkObserver;
  readonly nodePath: string;
  /** Refuses where the way to the model is not open: no agent that needs one starts without it. */
  readonly modelAccess: (plan: AttemptPlan, wanted: readonly ProviderName[]) => Promise<ModelAccess | OwnLogin>;
  readonly tools: AgentTools;
  /** The agent CLI of a driver as it was found on this machine. */
  readonly agentProgram: (name: string) => string | null;
  /** What the charter of this machine says to a call; null where it has none. */
  readonly ruling: ((call: ToolCall, scene: Scene) => Ruling) | null;
  /** What the charter tells every agent of this machine. */
  readonly introduction?: string | undefined;
  /** How long agents wait for a person. */
  readonly people: Pick<PersonPorts, 'holdMs' | 'ttlMs'>;
  /** What the environment policy lets through to every agent; never a secret. */
  readonly agentEnvironment: Readonly<Record<string, string>>;
  readonly logOf: (plan: AttemptPlan) => Omit<AttemptLogOptions, 'directory' | 'makeRoom'>;
  /** What the programs of an attempt may hold; null where nothing limits it. */
  readonly memoryOf: (plan: AttemptPlan) => MemoryLimit | null;
  /** Used until the lease says otherwise. */
  readonly deadlineUnknown: () => Deadline;
  readonly wait: (ms: number) => Promise<void>;
};

/** What this process holds of one attempt; everything else is on disk. */
type Held = {
  readonly runDir: string;
  deadline: Deadline;
  /** Opened by the first verb that writes to it, also after a restart. */
  log: Promise<AttemptLog> | undefined;
  opened: AttemptLog | undefined;
  /** The tree on which the checks passed before the agent ended. */
  checkedTree: string | undefined;
  readonly mail: AgentMail;
};

/** The work of attempts on this machine: git worktrees, host processes, log spools. */
export class HostWork implements AttemptWork {
  readonly #options: HostWorkOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: HostWorkOptions) {
    this.#options = options;
  }

  async prepare(plan: AttemptPlan, signal: AbortSignal): Promise<AttemptResult | null> {
    const {runDir} = this.#hold(plan);
    const log = await this.#log(plan);
    const {trees} = this.#options;
    const {isResumed, worktree: adopted} = await takeUp(trees, plan);
    if (isResumed) await this.#tell(plan, log, 'going on where the agent of an earlier attempt waits');
    if (plan.spec.repository === undefined) {
      await mkdir(scratchDirectoryOf(trees.context.root, plan.task), {recursive: true, mode: 0o700});
      await writePrompt(runDir, plan, undefined);
      return null;
    }
    await this.#tell(plan, log, `preparing ${plan.spec.repository.url}`);
    try {
      const worktree = adopted ?? (await prepareTree(trees, plan, signal));
      if (worktree !== undefined)
        await this.#tell(plan, log, `worktree on ${worktree.branch} at ${worktree.baseSha.slice(0, 12)}`);
      const change = worktree && (await changeOf(trees, plan, {runDir, worktree, signal}));
      await writePrompt(runDir, plan, change);
      return null;
    } catch (error) {
      if (signal.aborted || !(error instanceof SwitchyardError)) throw error;
      await log.note(`${error.code}: ${error.detail}`);
      throw error;
    }
  }

  async run(plan: AttemptPlan, signal: AbortSignal): Promise<AgentEnd> {
    const held = this.#hold(plan);
    const {runDir, deadline} = held;
    const {executor, agentEnvironment, nodePath, agentProgram, modelAccess, tools, ruling, people, observer, trees} =
      this.#options;
    const log = await this.#log(plan);
    const cwd = await workingDirectory(trees, plan);
    const isNew = (await executor.status(runDir)).state === 'absent';
    const told = taskPrompt(plan);
    const memory = this.#options.memoryOf(plan);
    if (isNew) await notePromptVersion(runDir, told.version);
    if (isNew) await this.#tell(plan, log, startLine(plan.spec.agent.driver, told));
    const [program, providers] = [programOf(plan.spec.agent.driver), providersOf(plan.spec.agent)];
    const home = join(runDir, runFiles.home);
    const left = await readAgentHome(trees.context.root, plan.task);
    const agent = startAgent({
      plan,
      runDir,
      deadline,
      memory,
      isNew,
      executor,
      log,
      signal,
      input: {
        task: plan.task,
        spec: plan.spec,
        prompt: await readPrompt(runDir, plan),
        promptPath: join(runDir, PROMPT_FILE),
        nodePath,
        homePath: agentHomeOf(trees.context.root, plan.task),
        program: program === null ? null : agentProgram(program),
        model: providers.length === 0 ? null : await modelAccess(plan, providers),
        tools: await tools.access(plan),
        ...sessionLeft(left),
        workingDirectory: cwd,
        instructions: await instructionsOf(trees, await placed(trees, plan), this.#options.introduction),
      },
      cwd,
      environment: agentEnvironment,
      work: {
        trees,
        worktree: await findTree(trees, await placed(trees, plan)),
        deadline: () => held.deadline,
        onChecked: tree => {
          held.checkedTree = tree;
        },
      },
      ruling: ruling === null ? null : call => ruling(call, {workspace: cwd, home, branch: plan.branch}),
      people: {...people, open: ask => observer.askPerson(plan, ask)},
      waited: left?.waited ?? null,
      takeCalls: await tools.taker(plan),
      tell: async detail => this.#tell(plan, log, detail),
      onEvent: event => observer.agentEvent(plan, event),
      finish: async () => farewell(this.#options, runDir, signal),
    });
    held.mail.open(agent.message);
    const {status, read} = await agent.ended;
    const end = {...processEnd(status), prompt: await notedPromptVersion(runDir)};
    await log.note(`the agent ended: ${describeEnd(status)}`);
    const {summary, failure, deferred, putOff} = read(end);
    const failed = lastWord(status, memory) ?? failure;
    if (failed !== null || deferred === null) return {...end, summary, result: failed};
    await keepAgentHome(trees.context, plan, putOff === undefined ? null : {toolCall: deferred, ...putOff});
    return {...end, summary, result: {kind: 'waiting', asks: [deferred]}};
  }

  async finish(plan: AttemptPlan, end: AgentEnd, signal: AbortSignal): Promise<Completion> {
    const log = await this.#log(plan);
    const held = this.#hold(plan);
    const {trees, executor, nodePath, agentEnvironment: environment} = this.#options;
    await endRounds(executor, held.runDir);
    const worktree = await findTree(trees, await placed(trees, plan));
    const tell = async (line: string): Promise<void> => this.#tell(plan, log, line);
    const {end: judged, outcome} = roleEnd(plan.spec, end, worktree?.baseSha);
    const {result, git} = await complete({
      plan,
      end: judged,
      worktree,
      signal,
      trees,
      tell,
      checksPass: async headSha => {
        if (held.checkedTree !== undefined && worktree !== undefined && headSha !== null)
          if ((await treeOfCommit(trees, worktree, headSha)) === held.checkedTree) return true;
        const cwd = await workingDirectory(trees, plan);
        const memory = this.#options.memoryOf(plan);
        const run = {...held, cwd, memory, nodePath, environment, tell, host: {executor, log, signal}};
        return (await runChecks(plan, run)).passed;
      },
    });
    if (result.kind === 'failed') await log.note(`${result.code}: ${result.detail}`);
    return {result, git, outcome};
  }

  async stop(plan: AttemptPlan, graceMs: number): Promise<void> {
    const runDir = runDirectoryOf(this.#options.stateDirectory, plan);
    const {executor} = this.#options;
    for (const directory of [...(await checksDirectories(runDir)), runDir]) {
      if (isOver(await executor.status(directory))) continue;
      await executor.signal(directory, 'SIGTERM');
      await overWithin(this.#options, directory, graceMs);
    }
    await this.#killAll(plan);
  }

  async seal(plan: AttemptPlan, closing: {readonly line: string}, signal: AbortSignal): Promise<SealedLog> {
    const log = await this.#log(plan);
    await this.#catchUp(plan, log, signal);
    await log.note(closing.line);
    return log.seal(signal);
  }

  /** What was written while no runner read it: a stop may come before this one ever followed the agent. */
  async #catchUp(plan: AttemptPlan, log: AttemptLog, signal: AbortSignal): Promise<void> {
    const {runDir} = this.#hold(plan);
    for (const {directory, streams} of [agentOutput(runDir), checksOutput(runDir)]) {
      if ((await this.#options.executor.status(directory)).state === 'absent') continue;
      try {
        await moveOutput({directory, streams}, {executor: this.#options.executor, log, signal});
      } catch (error) {
        // The agent can make its output unreadable, which must not keep the attempt from its end.
        if (!(error instanceof SwitchyardError)) throw error;
        await log.note(`${error.code}: ${error.detail}`);
      }
    }
  }

  async clean(plan: AttemptPlan): Promise<void> {
    const key = keyOf(plan);
    const {trees, stateDirectory} = this.#options;
    const isAdopted = await isTreeAdopted(trees, plan);
    // What an adopted attempt ran has ended in order, and who works in its tree by now is somebody else.
    if (!isAdopted) await this.#killAll(plan);
    const held = this.#held.get(key);
    this.#held.delete(key);
    await held?.log?.then(async log => log.close()).catch(() => undefined);
    if (!isAdopted) await leave(trees, plan);
    await discard(trees.context, runDirectoryOf(stateDirectory, plan));
  }

  async input(plan: AttemptPlan, {seq, data, interrupt}: Said): Promise<boolean> {
    if (!(await this.#hold(plan).mail.send(`${plan.task}/message/${seq}`, data, {interrupt}))) return false;
    const how = interrupt === true ? ', which was interrupted' : '';
    await (await this.#log(plan)).note(`a message was handed to the agent${how}`);
    return true;
  }

  async warn(plan: AttemptPlan, leftMs: number): Promise<void> {
    const left = timeLeft(leftMs);
    await this.#tell(plan, await this.#log(plan), `the time of the task is nearly used up: ${left} left`);
    // What is no model does not understand a sentence.
    if (programOf(plan.spec.agent.driver) === null) return;
    const text = `About ${left} left of the time of this task, then you are ended. Bring your work into a state that can be taken as it is, and end your turn.`;
    await this.#hold(plan).mail.send(`${plan.task}/e${plan.epoch}/warning`, text);
  }

  async extend(
    plan: AttemptPlan,
    {softBootMs, hardBootMs}: {readonly softBootMs: number; readonly hardBootMs: number},
  ): Promise<void> {
    const held = this.#hold(plan);
    held.deadline = {softMs: Math.floor(softBootMs), hardMs: Math.floor(hardBootMs)};
    for (const directory of [held.runDir, ...(await checksDirectories(held.runDir))]) {
      const {state} = await this.#options.executor.status(directory);
      if (state === 'running' || state === 'claimed')
        await this.#options.executor.refreshDeadline(directory, held.deadline);
    }
  }

  /** Writes a line of ours into the log; for nothing once the attempt is cleaned away. */
  async note(plan: AttemptPlan, line: string): Promise<void> {
    await this.#held.get(keyOf(plan))?.opened?.note(line);
  }

  spoolLength(plan: AttemptPlan): number {
    return this.#held.get(keyOf(plan))?.opened?.length ?? 0;
  }

  #hold(plan: AttemptPlan): Held {
    const key = keyOf(plan);
    const known = this.#held.get(key);
    if (known !== undefined) return known;
    const runDir = runDirectoryOf(this.#options.stateDirectory, plan);
    const held: Held = {
      runDir,
      deadline: this.#options.deadlineUnknown(),
      log: undefined,
      opened: undefined,
      checkedTree: undefined,
      mail: new AgentMail(this.#options, runDir),
    };
    this.#held.set(key, held);
    return held;
  }

  /** The log of the attempt, and with it its run directory. One that could not be opened is tried again by the next verb. */
  async #log(plan: AttemptPlan): Promise<AttemptLog> {
    const held = this.#hold(plan);
    held.log ??= this.#openLog(plan, held.runDir);
    try {
      held.opened = await held.log;
      return held.opened;
    } catch (error) {
      held.log = undefined;
      throw error;
    }
  }

  async #openLog(plan: AttemptPlan, runDir: string): Promise<AttemptLog> {
    await createRunDirectory(runDir);
    return AttemptLog.open({
      ...this.#options.logOf(plan),
      directory: runDir,
      makeRoom: async () => {
        for (const own of [runFiles.home, runFiles.tmp]) await discard(this.#options.trees.context, join(runDir, own));
      },
    });
  }

  async #tell(plan: AttemptPlan, log: AttemptLog, detail: string): Promise<void> {
    this.#options.observer.phaseDetail(plan, log.mask(detail));
    await log.note(detail);
  }

  async #killAll(plan: AttemptPlan): Promise<void> {
    const runDir = runDirectoryOf(this.#options.stateDirectory, plan);
    for (const directory of [...(await checksDirectories(runDir)), runDir]) {
      if ((await readRunFile(directory, 'meta.json')) === undefined) continue;
      const {survivors} = await this.#options.executor.signal(directory, 'SIGKILL');
      if (survivors.length > 0)
        throw new SwitchyardError(
          'worktree_busy',
          `processes ${survivors.join(', ')} of ${keyOf(plan)} could not be ended`,
        );
    }
  }
}

const keyOf = ({task, epoch}: AttemptPlan): string => `${task} e${epoch}`;
