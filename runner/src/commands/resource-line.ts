import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {byteText} from '@switchyard/shared/policy/byte-size.ts';
import {duration} from './units.ts';

/** What an attempt uses of its machine, or used until it ended; null where nobody looked. */
export function resourceLine(resources: TaskView['resources']): string | null {
  if (resources === null) return null;
  const {rss_bytes: now, rss_bytes_max: most, processes, processes_max: manyMost, cpu_ms: cpuMs} = resources;
  const cpu = `${duration(cpuMs)} of a processor`;
  if (processes === 0) return `at most ${byteText(most)} of memory and ${count(manyMost)}, ${cpu}`;
  return `${byteText(now)} of memory (at most ${byteText(most)}), ${count(processes)}, ${cpu}`;
}

const count = (processes: number): string => (processes === 1 ? '1 process' : `${processes} processes`);
