import * as z from 'zod';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {programOf} from '../agent/drivers.ts';
import {agentWords, type LineWords} from './agent-words.ts';
import type {Terminal} from './terminal.ts';
import {oneLine} from './shown-text.ts';
import {cut} from './table.ts';

const eventSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  title: z.string().optional(),
  status: z.string().optional(),
  summary: z.string().optional(),
  is_error: z.boolean().optional(),
});
type AgentLine = z.infer<typeof eventSchema>;

/** Characters of a line that is held back until its end comes. */
const heldCharactersMax = 65_536;

export type LogPrinter = {readonly push: (bytes: Uint8Array) => void; readonly end: () => void};

/** For a person who watches, unless it is a pipe or the bytes themselves were asked for. */
export function logPrinter(terminal: Terminal, isRaw: boolean, spec?: Pick<TaskSpec, 'agent'>): LogPrinter {
  if (isRaw || terminal.columns === undefined) return rawPrinter(terminal);
  const speaks = spec !== undefined && programOf(spec.agent.driver) !== null;
  return linePrinter(terminal, speaks ? agentWords(spec, terminal.paint) : undefined);
}

/** The bytes as they are: for pipes and files. */
export function rawPrinter({raw}: Terminal): LogPrinter {
  return {push: raw, end: () => undefined};
}

/** A line of JSON for each piece, with the names that a page of the log has; what is not UTF-8 is replaced. */
export function jsonPrinter({out}: Pick<Terminal, 'out'>, from: number): LogPrinter {
  const decoder = new TextDecoder();
  let at = from;
  const print = (text: string, bytes: number): void => {
    out(JSON.stringify({from: at, to: at + bytes, text}));
    at += bytes;
  };
  return {
    push: bytes => print(decoder.decode(bytes, {stream: true}), bytes.length),
    end: () => {
      const rest = decoder.decode();
      if (rest !== '') print(rest, 0);
    },
  };
}

/** Whole lines, in which the events of an agent are put into words. For a person who watches. */
export function linePrinter({out, paint, columns}: Terminal, words: LineWords = ownWords(paint)): LogPrinter {
  const decoder = new TextDecoder();
  let rest = '';
  const print = (line: string): void => {
    const said = words(line);
    if (said === undefined) out(oneLine(line));
    else for (const each of said) out(cut(each, columns));
  };
  return {
    push: bytes => {
      rest += decoder.decode(bytes, {stream: true});
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) print(line);
      if (rest.length < heldCharactersMax) return;
      print(rest);
      rest = '';
    },
    end: () => {
      rest += decoder.decode();
      if (rest !== '') print(rest);
      rest = '';
    },
  };
}

/** Agents that speak no protocol of their own: one event a line. */
function ownWords(paint: Terminal['paint']): LineWords {
  return line => {
    const event = readEvent(line);
    return event === undefined ? undefined : [inWords(event, paint)];
  };
}

function readEvent(line: string): AgentLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return eventSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function inWords({type, text, title, status, summary, is_error: isError}: AgentLine, paint: Terminal['paint']): string {
  const said = oneLine(text ?? title ?? summary ?? '');
  if (type === 'agent_message') return `${paint('cyan', '●')} ${said}`;
  if (type === 'tool_call') return `${paint('dim', '▸')} ${said}`;
  if (type === 'tool_call_update') return `${mark(status !== 'failed', paint)} ${said}`;
  if (type === 'result') return `${mark(isError !== true, paint)} ${said}`;
  return `${paint('dim', oneLine(type))} ${said}`;
}

export function mark(isGood: boolean, paint: Terminal['paint']): string {
  return isGood ? paint('green', '✓') : paint('red', '✗');
}
