import {memoryLimitText, type MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {ProcessEnd} from '../agent/driver.ts';
import type {RunStatus} from '../executor/run-status.ts';

/** How a run that is over ended, as the driver reads it. */
export function processEnd(status: RunStatus): ProcessEnd {
  if (status.state === 'exited') return {exitCode: status.code, signal: status.signal ?? null};
  return {exitCode: status.state === 'killed' ? (status.code ?? null) : null, signal: 'SIGKILL'};
}

/** The result of an end of which the agent has no say; null where it has. */
export function lastWord(status: RunStatus, memory: MemoryLimit | null): AttemptResult | null {
  return lostResult(status) ?? memoryResult(status, memory);
}

/** Set where nobody knows how the agent ended. */
function lostResult(status: RunStatus): AttemptResult | null {
  if (status.state !== 'lost') return null;
  return {
    kind: 'failed',
    code: 'agent_failed',
    detail: `the agent was lost: ${status.why.replaceAll('_', ' ')}`,
    retryable: true,
  };
}

/** Set where the kernel ended the agent at the limit of its memory. */
function memoryResult(status: RunStatus, memory: MemoryLimit | null): AttemptResult | null {
  if (status.state !== 'exited' || status.isOutOfMemory !== true) return null;
  const limit = memory === null ? '' : `, at most ${memoryLimitText(memory)}`;
  return {
    kind: 'failed',
    code: 'agent_runaway',
    detail: `killed by memory: its processes wanted more than they may hold${limit}`,
    retryable: true,
  };
}

/** For people. */
export function describeEnd(status: RunStatus): string {
  switch (status.state) {
    case 'exited':
      if (status.isOutOfMemory === true) return `${status.signal ?? ''}, out of memory`;
      return status.signal === undefined ? `exit code ${status.code}` : status.signal;
    case 'killed':
      return `killed (${status.reason.replaceAll('_', ' ')})`;
    case 'lost':
      return `lost (${status.why.replaceAll('_', ' ')})`;
    case 'absent':
    case 'claimed':
    case 'running':
      return status.state;
  }
}
