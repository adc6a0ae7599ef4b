import {cpSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {judgeAll, strangers, type Judged} from './evidence.ts';
import {faultPlan} from './fault-plan.ts';
import {carryOut} from './faults.ts';
import {leftoversOf, removeCgroups, type Places} from './leftovers.ts';
import {Load} from './load.ts';
import {Observer} from './observer.ts';
import type {ChaosOptions} from './options.ts';
import {circumstances, type Figures, type Report} from './report.ts';
import {Timeline} from './timeline.ts';
import {judgeKeys, type Violation} from './verdict.ts';
import {Yard} from './yard.ts';

/** When the last task must have ended, with all the waiting between attempts that a task may have to do. */
const restMsMax = 240_000;
/** When runners must have cleaned up what they hold, and what nobody holds: trees are deleted at idle priority. */
const cleanMsMax = 60_000;
const stepMs = 200;
/** Every tenth task is submitted again in the end. */
const repeatEvery = 10;

type Parts = {
  readonly options: ChaosOptions;
  /** Takes the evidence. */
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly timeline: Timeline;
  readonly yard: Yard;
  readonly load: Load;
  readonly observer: Observer;
};

/** One run of chaos: faults under load, then quiet, then the verdict. */
export async function runChaos({options, folder, say}: Pick<Parts, 'options' | 'folder' | 'say'>): Promise<Report> {
  const timeline = new Timeline(join(folder, 'timeline.jsonl'));
  const yard = await Yard.start(timeline);
  // Runners and a mounted disk would outlive a tester that is told to stop.
  const abandon = (): void =>
    void yard
      .remove()
      .catch(() => undefined)
      .finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, abandon);
  try {
    const observer = new Observer(yard);
    const load = new Load({
      seed: options.seed,
      client: observer.client,
      repositoryUrl: yard.repositoryUrl,
      witnessFolder: yard.witnessFolder,
      acksPath: join(folder, 'acknowledgements.jsonl'),
      timeline,
      isOpen: task => observer.isOpen(task),
    });
    return await under({options, folder, say, timeline, yard, load, observer});
  } catch (error) {
    keep(yard, folder);
    throw error;
  } finally {
    await yard.remove();
  }
}

async function under(parts: Parts): Promise<Report> {
  const {options, folder, say, timeline, yard, load, observer} = parts;
  const begunMs = Date.now();
  const running = [load.run(), observer.watch()];
  const rounds = await allRounds(parts);
  await yard.heal();
  const healedMs = Date.now();
  await load.stop();
  say('the faults have stopped');
  await until(restMsMax, () => !load.acknowledgedTasks().some(task => observer.isOpen(task)));
  const restedMs = Date.now();
  const stayed = await leftAtRest(yard);
  const cleanedMs = Date.now();
  await yard.revivePlane();
  await load.repeat(repeatEvery);
  await observer.lookAtAll();
  observer.stop();
  await Promise.all(running);
  say('all is at rest; looking at the evidence');
  const judged = await judgeAll(parts);
  const unknown = strangers(parts);
  await yard.end();
  // What a process started may end a moment after it.
  const ended = (): string[] => leftoversOf(placesOf(yard, 'ended'));
  await until(cleanMsMax, () => ended().length === 0);
  const left = new Set([...stayed, ...ended()]);
  const violations: Violation[] = [
    ...judged.flatMap(each => each.violations),
    ...judgeKeys(load.acknowledgements),
    ...load.refusals.map(({key, detail}) => ({promise: 'lost', task: key, detail}) as const),
    ...unknown,
    ...[...left].map(detail => ({promise: 'leftover', task: /tsk_\w+/.exec(detail)?.[0] ?? '', detail}) as const),
  ];
  removeCgroups(yard.stateDirectories);
  const report: Report = {
    options,
    figures: figuresOf(parts, {judged, rounds, begunMs, healedMs, restedMs, cleanedMs}),
    skipped: yard.skipped,
    violations: violations.map(each => ({...each, ...circumstances(each, judged, timeline)})),
    folder,
  };
  if (violations.length > 0) {
    keep(yard, folder);
    writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  }
  return report;
}

async function allRounds({options, yard, timeline, load, say}: Parts): Promise<number> {
  const end = options.minutes === null ? Infinity : performance.now() + options.minutes * 60_000;
  let count = 0;
  for (const round of faultPlan(options.seed)) {
    if (count >= options.rounds || performance.now() > end) break;
    count += 1;
    timeline.note('round', 'tester', String(count));
    await carryOut(yard, round, timeline);
    const {'kill-runner': runners = 0, 'kill-plane': planes = 0} = timeline.counts();
    say(
      `round ${count}: ${runners} runner kills, ${planes} control plane kills, ${load.acknowledgedTasks().length} tasks`,
    );
  }
  return count;
}

/** While it runs, only the processes of the installation itself may be there. */
function placesOf({bed, stateDirectories}: Yard, when: 'running' | 'ended'): Places {
  const own = /switchyard\.mjs|workerd|esbuild/;
  return {
    folder: bed.folder,
    runnerStates: stateDirectories,
    isExpected: ({arguments: text}) => when === 'running' && own.test(text),
  };
}

/** What runners have not cleaned up after a while, nor after a restart, at which they look for what nobody holds. */
async function leftAtRest(yard: Yard): Promise<string[]> {
  const left = (): string[] => leftoversOf(placesOf(yard, 'running'));
  if (await until(cleanMsMax, () => left().length === 0)) return [];
  for (const runner of yard.runners) {
    await runner.process.kill('SIGKILL');
    await yard.revive(runner);
  }
  await until(cleanMsMax, () => left().length === 0);
  return left();
}

async function until(deadlineMs: number, fact: () => boolean): Promise<boolean> {
  for (const end = performance.now() + deadlineMs; performance.now() < end; await delay(stepMs))
    if (fact()) return true;
  return fact();
}

type Outcome = {
  readonly judged: readonly Judged[];
  readonly rounds: number;
  readonly begunMs: number;
  readonly healedMs: number;
  readonly restedMs: number;
  readonly cleanedMs: number;
};

function figuresOf({load, timeline}: Parts, outcome: Outcome): Figures {
  const {judged, rounds, begunMs, healedMs, restedMs, cleanedMs} = outcome;
  const ends: Record<string, number> = {};
  for (const {end} of judged) ends[end?.state ?? 'unknown'] = (ends[end?.state ?? 'unknown'] ?? 0) + 1;
  const starts = judged.map(({lines}) => lines.filter(({event}) => event === 'start').length);
  const {round: _, ...faults} = timeline.counts();
  return {
    rounds,
    seconds: Math.round((healedMs - begunMs) / 1_000),
    cleanSeconds: Math.round((cleanedMs - restedMs) / 1_000),
    restSeconds: Math.round((restedMs - healedMs) / 1_000),
    tasks: judged.length,
    submissions: load.acknowledgements.length,
    ends,
    agentsStarted: starts.reduce((sum, count) => sum + count, 0),
    attemptsPerTaskMost: Math.max(0, ...starts),
    logBytes: judged.reduce((sum, {logBytes}) => sum + logBytes, 0),
    faults,
  };
}

function keep({bed, witnessFolder}: Yard, folder: string): void {
  cpSync(witnessFolder, join(folder, 'witness'), {recursive: true});
  for (const name of readdirSync(bed.folder).filter(each => each.endsWith('.log')))
    cpSync(join(bed.folder, name), join(folder, name));
}
