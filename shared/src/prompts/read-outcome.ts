import * as z from 'zod';
import {utf8} from '../crypto/bytes.ts';
import {nestsDeeper} from '../domain/parse-json.ts';
import {limits} from '../policy/limits.ts';
import {lastBlock} from './last-block.ts';
import {outcomeEvents, outcomeJsonSchema, outcomeSchemas, type Outcome} from './outcome.ts';
import type {Role} from './role.ts';

/** What the last message of an agent says of its work, or why it says nothing that counts. */
export type OutcomeReading =
  | {readonly kind: 'outcome'; readonly outcome: Outcome}
  | {
      readonly kind: 'refused';
      readonly because: 'no_block' | 'not_json' | 'too_long' | 'not_last' | 'not_allowed';
      readonly detail: string;
    };

const faultsShown = 5;
const faultCharactersMax = 300;

/**
 * Reads the outcome of a role from the last message of its agent: the last block of JSON in it, with prose around it.
 * Only the last one counts, and it is taken whole or refused.
 */
export function readOutcome(role: Role, finalText: string): OutcomeReading {
  const block = lastBlock(finalText);
  if (block === undefined) return refused('no_block', 'the last message holds no block of JSON');
  if (utf8(block.text).length > limits.outcomeBytesMax)
    return refused('too_long', `the block is longer than ${limits.outcomeBytesMax} bytes`);
  if (block.after.includes('"event"')) return refused('not_last', 'another event stands behind the block');
  const {value, fault} = parsed(block.text);
  if (fault !== undefined) return refused('not_json', `the block is not JSON: ${fault}`);
  return judged(role, value);
}

/** What the last message says to people: all of it but the block. Null when it is nothing else. */
export function proseOf(finalText: string): string | null {
  const block = lastBlock(finalText);
  const {before, after} = block ?? {before: finalText, after: ''};
  const prose = `${before.trim()}\n\n${after.trim()}`.trim();
  return prose === '' ? null : prose;
}

/**
 * What to tell an agent whose last message has no outcome of its role, so that its next one has; null when nothing is
 * missing.
 */
export function outcomeComplaint(role: Role, finalText: string): string | null {
  const reading = readOutcome(role, finalText);
  if (reading.kind === 'outcome') return null;
  return [
    `Your work has no outcome yet: ${reading.detail}.`,
    `Write your last message again. It ends with one block of JSON whose event is ${outcomeEvents(role).join(' or ')}, of this schema, and says only what is true of your work:`,
    '```json',
    JSON.stringify(outcomeJsonSchema(role), null, 1),
    '```',
  ].join('\n');
}

function refused(because: Extract<OutcomeReading, {kind: 'refused'}>['because'], detail: string): OutcomeReading {
  return {kind: 'refused', because, detail};
}

function parsed(text: string): {readonly value?: unknown; readonly fault?: string} {
  try {
    const value: unknown = JSON.parse(text);
    return nestsDeeper(value, limits.jsonLevelsMax) ? {fault: 'it is nested too deeply'} : {value};
  } catch (error) {
    return {fault: short(error instanceof Error ? error.message : String(error))};
  }
}

const named = z.looseObject({event: z.string()});

function judged(role: Role, value: unknown): OutcomeReading {
  const events = outcomeEvents(role);
  const event = named.safeParse(value).data?.event;
  if (event === undefined) return refused('not_allowed', `the block has no event; it must be ${events.join(' or ')}`);
  if (!events.includes(event))
    return refused('not_allowed', `the event ${short(JSON.stringify(event))} is not one of ${events.join(', ')}`);
  const {data, error} = outcomeSchemas[role].safeParse(value);
  if (error !== undefined) return refused('not_allowed', `${event} is not complete: ${faults(error)}`);
  return {kind: 'outcome', outcome: data};
}

function faults({issues}: z.ZodError): string {
  const shown = issues.slice(0, faultsShown).map(({path, message}) => short(`${path.join('.')}: ${message}`));
  const more = issues.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function short(text: string): string {
  return text.length > faultCharactersMax ? `${text.slice(0, faultCharactersMax)}…` : text;
}
