import * as z from 'zod';
import {profileOfRole} from '../policy/tool-profile.ts';
import {findingSchema, outcomeSchemas} from './outcome.ts';
import {ruleOfRole, type Role} from './role.ts';

type Report = {readonly event: string; readonly data: Readonly<Record<string, unknown>>};

/** What an agent reports while it works, held to its role. A refusal says what the agent has to do otherwise. */
export function readReport(
  type: string,
  {event, data}: Report,
): {readonly ok: true; readonly data: object} | {readonly ok: false; readonly reason: string} {
  const events = isRole(type) ? ruleOfRole(type).events : [];
  if (!isRole(type) || !events.includes(event))
    return {ok: false, reason: `a ${type} agent reports no ${event}; its events are ${events.join(', ')}`};
  // A finding is reported as it is found, and is no outcome.
  const read =
    event === 'audit.finding' ? findingSchema.safeParse(data) : outcomeSchemas[type].safeParse({...data, event});
  if (!read.success) return {ok: false, reason: `${event}: ${z.prettifyError(read.error).slice(0, 1_000)}`};
  return {ok: true, data};
}

const isRole = (type: string): type is Role => Object.hasOwn(profileOfRole, type);
