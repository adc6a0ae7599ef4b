import * as z from 'zod';
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
export function logPrinter(terminal: Terminal, isRaw: boolean): LogPrinter {
  return isRaw || terminal.columns === undefined ? rawPrinter(terminal) : linePrinter(terminal);
}

/** The bytes as they are: for pipes and files. */
export function rawPrinter({raw}: Terminal): LogPrinter {
  return {push: raw, end: () => undefined};
}

/** Whole lines, in which the events of an agent are put into words. For a person who watches. */
export function linePrinter({out, paint, columns}: Terminal): LogPrinter {
  const decoder = new TextDecoder();
  let rest = '';
  const print = (line: string): void => {
    const event = readEvent(line);
    out(event === undefined ? oneLine(line) : cut(inWords(event, paint), columns));
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
