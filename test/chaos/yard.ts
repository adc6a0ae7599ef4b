import {execFileSync} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {cuttableProxy, type CuttableProxy} from '../fixtures/cuttable-proxy.ts';
import {Bed, type RunnerProcess} from '../fixtures/installation.ts';
import {lease, runnerCount, smallDiskRunner} from './fault-plan.ts';
import {smallDisk, type SmallDisk} from './small-disk.ts';
import type {Timeline} from './timeline.ts';

export type YardRunner = {
  readonly name: string;
  readonly process: RunnerProcess;
  /** Between this runner and the control plane. */
  readonly proxy: CuttableProxy;
  readonly disk: SmallDisk | undefined;
};

/**
 * A runner of a machine without cgroups, as macOS is: it ends agents by their process group and their mark. The launcher
 * gives it a view of the machine of its own.
 */
const plainRunner = 1;
const plainLauncher = ['unshare', '--mount', 'sh', '-c', 'umount -a -t cgroup2 && exec "$@"', 'sh'];

const slots = 3;
const reviveMs = 60_000;
const reviveStepMs = 250;

/** The installation under chaos: a control plane, and runners that reach it through a network which may break. */
export class Yard {
  readonly bed: Bed;
  readonly runners: readonly YardRunner[];
  /** What agents with a change start from. */
  readonly repositoryUrl: string;
  readonly repositoryPath: string;
  readonly witnessFolder: string;
  /** What this machine does not allow, and why. */
  readonly skipped: readonly string[];
  readonly #timeline: Timeline;
  #removed: Promise<void> | undefined;

  private constructor(bed: Bed, timeline: Timeline, made: Pick<Yard, 'runners' | 'skipped'> & {origin: Origin}) {
    this.bed = bed;
    this.#timeline = timeline;
    this.runners = made.runners;
    this.skipped = made.skipped;
    this.repositoryUrl = made.origin.url;
    this.repositoryPath = made.origin.path;
    this.witnessFolder = join(bed.folder, 'witness');
    mkdirSync(this.witnessFolder);
  }

  static async start(timeline: Timeline): Promise<Yard> {
    const bed = await Bed.start({lease});
    const disk = smallDisk(join(bed.folder, nameOf(smallDiskRunner)));
    try {
      return await Yard.#assemble(bed, {timeline, disk});
    } catch (error) {
      if (typeof disk !== 'string') disk.unmount();
      await bed.stop();
      throw error;
    }
  }

  static async #assemble(bed: Bed, {timeline, disk}: {timeline: Timeline; disk: SmallDisk | string}): Promise<Yard> {
    const origin = await bed.repository();
    const runners: YardRunner[] = [];
    const isPlainPossible = canLaunchPlain();
    for (let index = 0; index < runnerCount; index += 1) {
      const name = nameOf(index);
      const proxy = await cuttableProxy(() => bed.port);
      const launcher = index === plainRunner && isPlainPossible ? plainLauncher : [];
      const process = await bed.runner(name, {slots, url: `http://127.0.0.1:${proxy.port}`, launcher});
      const own = index === smallDiskRunner && typeof disk !== 'string' ? disk : undefined;
      runners.push({name, process, proxy, disk: own});
    }
    const skipped = [
      ...(typeof disk === 'string' ? [`no disk was filled: ${disk}`] : []),
      ...(isPlainPossible ? [] : ['no runner was without cgroups: only root can hide them from one']),
    ];
    return new Yard(bed, timeline, {runners, skipped, origin});
  }

  get stateDirectories(): string[] {
    return this.runners.map(({process}) => process.stateDirectory);
  }

  /** Starts a runner that has ended, again and again as a service manager does: its disk may be full. */
  async revive({name, process}: YardRunner): Promise<void> {
    await this.#again(name, async () => {
      const {exitCode, signalCode} = process.child();
      if (exitCode !== null || signalCode !== null) await process.start();
    });
  }

  async revivePlane(): Promise<void> {
    await this.#again('plane', async () => {
      // One that started but did not answer is still there.
      await this.bed.killPlane();
      await this.bed.startPlane();
    });
  }

  /** The end of all faults: everybody runs and nothing is in the way. */
  async heal(): Promise<void> {
    for (const {proxy, disk} of this.runners) {
      proxy.slow(null);
      proxy.mend();
      disk?.empty();
    }
    for (const runner of this.runners) await this.revive(runner);
  }

  /** Ends all processes; the files stay for the verdict. */
  async end(): Promise<void> {
    await this.bed.end();
    for (const {proxy} of this.runners) await proxy.close();
  }

  /** May be called again, also while it is under way. */
  async remove(): Promise<void> {
    this.#removed ??= this.#remove();
    await this.#removed;
  }

  async #remove(): Promise<void> {
    for (const {disk} of this.runners) disk?.unmount();
    await this.bed.stop();
  }

  async #again(who: string, start: () => Promise<void>): Promise<void> {
    for (const end = performance.now() + reviveMs; ; await delay(reviveStepMs)) {
      try {
        await start();
        return;
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        this.#timeline.note('start failed', who, detail.slice(0, 500));
        if (performance.now() > end) throw error;
      }
    }
  }
}

type Origin = {readonly url: string; readonly path: string};

const nameOf = (index: number): string => `runner-${index}`;

function canLaunchPlain(): boolean {
  const [file = '', ...args] = plainLauncher;
  try {
    execFileSync(file, [...args, 'true'], {stdio: 'ignore'});
    return true;
  } catch {
    return false;
  }
}
