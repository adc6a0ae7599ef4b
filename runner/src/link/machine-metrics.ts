import {statfs} from 'node:fs/promises';
import {freemem, loadavg} from 'node:os';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';

export type MachineMetrics = Omit<Extract<UpMessage, {t: 'metrics'}>, 't'>;

/** Of this machine, this process and the disk that holds `directory`. */
export async function machineMetrics(directory: string): Promise<MachineMetrics> {
  const {bavail, bsize} = await statfs(directory);
  return {
    load1: loadavg()[0] ?? 0,
    memory_free_bytes: freemem(),
    disk_free_bytes: bavail * bsize,
    rss_bytes: process.memoryUsage.rss(),
  };
}
