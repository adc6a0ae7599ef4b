import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Machine} from '../executor/process-identity.ts';
import {endGroup, groupMembers} from './process-group.ts';
import {readRecords, removeRecord} from './service-record.ts';

/**
 * Ends what a supervision left behind that did not come to its stop. By then the life lines have ended, so most of it
 * is gone or going. Answers the names of the services that still ran.
 *
 * @throws SwitchyardError `already_running` when something outlives SIGKILL
 */
export async function reapLeftovers(directory: string, machine: Machine, drainMs: number): Promise<readonly string[]> {
  const found: string[] = [];
  for (const record of await readRecords(directory)) {
    if (groupMembers(record, machine).length > 0) {
      found.push(record.name);
      const {survivors} = await endGroup(record, machine, {signal: 'SIGTERM', drainMs});
      if (survivors.length > 0) {
        const who = survivors.join(', ');
        throw new SwitchyardError('already_running', `${record.name} of an earlier start cannot be ended: pid ${who}`);
      }
    }
    await removeRecord(directory, record.name);
  }
  return found;
}
