import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import type {Reading} from '../agent/driver.ts';
import type {NumberedEvent} from './agent-session.ts';
import type {AttemptLog} from './attempt-log.ts';

type Mask = Pick<AttemptLog, 'mask'>;

/** What an agent says leaves the machine in more ways than its log: whichever it is, as its log shows it. */
export function maskedEvent(log: Mask, event: NumberedEvent): NumberedEvent {
  const said = JSON.stringify(event.data);
  if (said === undefined) return event;
  const shown = log.mask(said);
  // A mask over more than one value leaves no JSON.
  return shown === said ? event : {...event, data: parseJson(shown) ?? {withheld: true}};
}

export function maskedReading(log: Mask, {summary, failure, ...reading}: Reading): Reading {
  return {
    ...reading,
    summary: summary === null ? null : log.mask(summary),
    failure: failure?.kind === 'failed' ? {...failure, detail: log.mask(failure.detail)} : failure,
  };
}
