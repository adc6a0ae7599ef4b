import {existsSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {failures} from '../compare.ts';
import {interleave, medianOf, progress, type Rhythm} from '../measure.ts';
import type {Outcome, Row} from '../report.ts';
import {runDemo, runUp} from '../sides/installation.ts';

const idleMs = 30_000;
const demo = 'switchyard demo';
const megabyte = 1_000_000;

/** How long it takes until it works, and what it costs while it does nothing. Nothing is compared: no peer does this. */
export async function measureStart(rhythm: Rhythm): Promise<Outcome> {
  const measured = await interleave('start', [{name: demo, round: runDemo}], rhythm);
  const ms = (figure: string, key: string): Row => ({figure, unit: 'ms', ours: medianOf(measured, demo, key)});
  const demoRows = measured.failed.has(demo)
    ? []
    : [
        ms('launch of switchyard demo to its finished task', 'finished'),
        ms('the task alone, asked to finished', 'task'),
        ms('the task alone, queued to running', 'queuedToRunning'),
      ];
  const idle = await measureIdle();
  return {
    rows: [...demoRows, ...idle.rows],
    notes: [
      'Each launch begins in an empty directory: secrets, bundle, database, sample repository, enrolment and worktree are made anew.',
      `Memory is resident (VmRSS) after ${idleMs / 1_000} s without a task.`,
    ],
    absent: [...failures(measured), ...idle.absent],
  };
}

async function measureIdle(): Promise<Pick<Outcome, 'rows' | 'absent'>> {
  try {
    const running = await runUp();
    try {
      progress(`idle for ${idleMs / 1_000} s`);
      await delay(idleMs);
      const ready: Row = {figure: 'launch of switchyard up to ready', unit: 'ms', ours: running.readyMs};
      if (!existsSync('/proc/self/status')) return {rows: [ready], absent: ['memory: this system has no /proc']};
      const memory = Object.entries(running.memory()).map(([part, bytes]): Row => ({
        figure: `idle memory of ${part}`,
        unit: 'MB',
        ours: bytes / megabyte,
      }));
      return {rows: [ready, ...memory], absent: []};
    } finally {
      await running.stop();
    }
  } catch (error) {
    return {rows: [], absent: [`switchyard up: ${error instanceof Error ? error.message : String(error)}`]};
  }
}
