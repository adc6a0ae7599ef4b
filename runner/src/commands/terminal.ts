import {styleText} from 'node:util';
import {shownLines} from './shown-text.ts';

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/**
 * Where a command speaks: results on standard output, everything about the way there on standard error. What is no
 * colour of ours and would control a terminal is shown in its place; a pipe gets lines as they are.
 */
export type Terminal = {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** Bytes of a log, as they are, also to a terminal. */
  readonly raw: (bytes: Uint8Array) => void;
  readonly paint: (colour: Colour, text: string) => string;
  /** Columns of the terminal; undefined when the output is not one. */
  readonly columns: number | undefined;
  readonly isInteractive: boolean;
  /** Shows that something takes its time; the answer ends the line. */
  readonly progress: (what: string) => Progress;
};

export type Progress = {
  readonly update: (what: string) => void;
  /** Takes the line away again. */
  readonly end: () => void;
};

export type Stream = {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly write: (text: string | Uint8Array) => unknown;
};

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;

/** Colour needs a terminal that wants it: NO_COLOR (https://no-color.org) and TERM=dumb say that it does not. */
export function wantsColour(stream: Stream, env: Readonly<Record<string, string | undefined>>): boolean {
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false;
  return stream.isTTY === true;
}

export function terminal(
  streams: {readonly out: Stream; readonly err: Stream},
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const {out, err} = streams;
  const coloured = wantsColour(out, env);
  const animated = wantsColour(err, env) && env['CI'] === undefined;
  return {
    out: line => writeLine(out, line),
    err: line => writeLine(err, line),
    raw: bytes => void out.write(bytes),
    paint: (colour, text) => (coloured ? styleText(colour, text, {validateStream: false}) : text),
    columns: out.isTTY === true ? widthOf(out) : undefined,
    isInteractive: out.isTTY === true && err.isTTY === true,
    progress: what => (animated ? spinner(err, what) : plainProgress(err, what)),
  };
}

/** A terminal that does not know its size says zero. */
function widthOf({columns = 0}: Stream): number {
  return columns > 0 ? columns : 80;
}

function writeLine(stream: Stream, line: string): void {
  stream.write(`${stream.isTTY === true ? shownLines(line) : line}\n`);
}

function spinner(err: Stream, first: string): Progress {
  let [what, frame] = [first, 0];
  const draw = (): void => {
    const width = widthOf(err) - 3;
    err.write(`\r\u001b[2K${frames[frame % frames.length] ?? ''} ${what.slice(0, width)}`);
    frame += 1;
  };
  draw();
  const timer = setInterval(draw, frameMs);
  timer.unref();
  return {
    update: text => {
      what = text;
      draw();
    },
    end: () => {
      clearInterval(timer);
      err.write('\r\u001b[2K');
    },
  };
}

/** A line for each step: what a log file or a pipe can hold. */
function plainProgress(err: Stream, first: string): Progress {
  err.write(`${first}\n`);
  return {update: what => void err.write(`${what}\n`), end: () => undefined};
}
