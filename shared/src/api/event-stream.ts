import {SwitchyardError} from '../domain/error.ts';

/** One event of a `text/event-stream`; `id` is the last id seen, which an event without one inherits. */
export type ServerEvent = {readonly event: string; readonly id: string; readonly data: string};

export type EventStreamParser = {
  /** The events that these bytes complete. A chunk may end anywhere, inside a character too. */
  readonly push: (bytes: Uint8Array) => readonly ServerEvent[];
};

/** Characters of one event: a log chunk as JSON text, each byte of which may take six characters. */
const eventCharactersMax = 1_048_576;

/**
 * Reads the stream format of the HTML standard (section 9.2.6): lines end in LF, CRLF or CR; comments and unknown
 * fields are skipped; an event without data is not an event.
 *
 * @throws SwitchyardError `unavailable` when one event exceeds a mebicharacter: the other side is not our server.
 */
export function eventStreamParser(): EventStreamParser {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let event = '';
  let data: string[] = [];
  let held = 0;

  const take = (line: string): ServerEvent | undefined => {
    if (line === '') {
      const done = data.length === 0 ? undefined : {event: event === '' ? 'message' : event, id, data: data.join('\n')};
      [event, data, held] = ['', [], 0];
      return done;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
    if (field === 'id' && !value.includes('\0')) id = value;
    held += line.length;
    return undefined;
  };

  return {
    push: bytes => {
      rest += decoder.decode(bytes, {stream: true});
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      const events = lines.flatMap(line => take(line) ?? []);
      if (rest.length + held > eventCharactersMax)
        throw new SwitchyardError(
          'unavailable',
          `an event of the stream is longer than ${eventCharactersMax} characters`,
        );
      return events;
    },
  };
}
