import type {Streams} from './byte-stream.ts';

/** A log as the control plane gives it out. `isSealed`: the control plane says that it is whole. */
export type LogCopy = {readonly bytes: Buffer; readonly isSealed: boolean};
/** How much of each stream there must be at least. */
export type Least = {readonly out: number; readonly err: number};

const noteMark = '[switchyard] ';
const notes = /^\n?(?:\[switchyard\] [^\n]*\n)*$/;

/**
 * Says what is wrong with a log, or nothing. It must hold a beginning of each stream of the agent, byte for byte and as
 * long as `least` says, between lines of the runner. A log that is not sealed may end anywhere.
 */
export function logFault(log: LogCopy, streams: Streams, least: Least): string | undefined {
  return streams.err.length === 0 ? oneStreamFault(log, streams.out, least.out) : linesFault(log, streams, least);
}

function oneStreamFault({bytes, isSealed}: LogCopy, stream: Buffer, least: number): string | undefined {
  const body = bytes.subarray(endOfNotes(bytes));
  const common = commonLength(body, stream);
  // What follows may by chance begin like the rest of the stream.
  for (let length = common; length >= Math.max(0, common - noteMark.length - 1); length -= 1) {
    const isOpen = length > 0 && body[length - 1] !== 0x0a;
    if (isEnd(body.subarray(length), {isOpen, isSealed}))
      return length >= least ? undefined : `${length} of at least ${least} bytes`;
  }
  return `after ${common} bytes of ${stream.length} comes ${shown(body.subarray(common))} in place of ${shown(stream.subarray(common))}`;
}

/** Only notes, with a line end before them where the stream ended without one. */
function isEnd(rest: Buffer, {isOpen, isSealed}: {isOpen: boolean; isSealed: boolean}): boolean {
  if (rest.length === 0) return true;
  const text = rest.toString('latin1');
  if (text.startsWith('\n') && !isOpen) return false;
  if (notes.test(text)) return true;
  if (isSealed) return false;
  const last = text.slice(text.lastIndexOf('\n') + 1);
  const isPartOfNote = last.startsWith(noteMark) || noteMark.startsWith(last);
  return isPartOfNote && notes.test(text.slice(0, text.length - last.length));
}

function endOfNotes(bytes: Buffer): number {
  let at = 0;
  while (bytes.subarray(at, at + noteMark.length).toString('latin1') === noteMark) {
    const end = bytes.indexOf(0x0a, at);
    if (end === -1) return bytes.length;
    at = end + 1;
  }
  return at;
}

function linesFault({bytes, isSealed}: LogCopy, {out, err}: Streams, least: Least): string | undefined {
  const lines = bytes.toString('latin1').split('\n');
  const open = lines.pop() ?? '';
  if (isSealed && open !== '') return `the last line does not end: ${shown(Buffer.from(open))}`;
  const of = {o: '', e: ''};
  for (const line of lines) {
    if (line.startsWith('o ')) of.o += `${line}\n`;
    else if (line.startsWith('e ')) of.e += `${line}\n`;
    else if (!line.startsWith(noteMark)) return `a line of nobody: ${shown(Buffer.from(line))}`;
  }
  return (
    beginningFault('out', {part: of.o, stream: out, least: isSealed ? least.out : 0}) ??
    beginningFault('err', {part: of.e, stream: err, least: isSealed ? least.err : 0})
  );
}

type Beginning = {readonly part: string; readonly stream: Buffer; readonly least: number};

function beginningFault(name: string, {part, stream, least}: Beginning): string | undefined {
  const bytes = Buffer.from(part, 'latin1');
  const common = commonLength(bytes, stream);
  if (common < bytes.length)
    return `${name}: after ${common} bytes comes ${shown(bytes.subarray(common))} in place of ${shown(stream.subarray(common))}`;
  return common < least ? `${name}: ${common} of at least ${least} bytes` : undefined;
}

function commonLength(one: Buffer, other: Buffer): number {
  const length = Math.min(one.length, other.length);
  if (one.subarray(0, length).equals(other.subarray(0, length))) return length;
  let at = 0;
  while (one[at] === other[at]) at += 1;
  return at;
}

function shown(bytes: Buffer): string {
  return bytes.length === 0 ? 'the end' : JSON.stringify(bytes.subarray(0, 40).toString('latin1'));
}
