import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {ProcessEnd} from '../agent/driver.ts';
import type {RunStatus} from '../executor/run-status.ts';

/** How a run that is over ended, as the driver reads it. */
export function processEnd(status: RunStatus): ProcessEnd {
  if (status.state === 'exited') return {exitCode: status.code, signal: status.signal ?? null};
  return {exitCode: status.state === 'killed' ? (status.code ?? null) : null, signal: 'SIGKILL'};
}

/** Set where nobody knows how the agent ended. */
export function lostResult(status: RunStatus): AttemptResult | null {
  if (status.state !== 'lost') return null;
  return {
    kind: 'failed',
    code: 'agent_failed',
    detail: `the agent was lost: ${status.why.replaceAll('_', ' ')}`,
    retryable: true,
  };
}

/** For people. */
export function describeEnd(status: RunStatus): string {
  switch (status.state) {
    case 'exited':
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
