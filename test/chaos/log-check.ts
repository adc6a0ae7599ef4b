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
  return streams.err.length === 0 ? oneStreamFault(log, streams.out, least.out) : bothFault(log, streams, least);
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

/**
 * The two streams share no byte but the line end, so each is what its own letters are. A line end belongs to either: they
 * are counted. A line that stays open, as on a full disk, may have one of the other stream in it.
 */
function bothFault({bytes, isSealed}: LogCopy, {out, err}: Streams, least: Least): string | undefined {
  const text = bytes.toString('latin1');
  const body = withoutNotes(text, isSealed);
  const stranger = /[^a-pA-P\n]/.exec(body);
  if (stranger !== null) return `bytes of nobody: ${shown(Buffer.from(body.slice(stranger.index)))}`;
  const parts = [
    {name: 'out', found: body.replaceAll(/[A-P\n]/g, ''), stream: out.toString('latin1'), least: least.out},
    {name: 'err', found: body.replaceAll(/[a-p\n]/g, ''), stream: err.toString('latin1'), least: least.err},
  ];
  let [endsLeast, endsMost] = [0, 0];
  for (const {name, found, stream, least: bytesLeast} of parts) {
    const owed = stream.slice(0, bytesLeast);
    const [letters, all] = [owed, stream].map(each => each.replaceAll('\n', ''));
    if (all?.startsWith(found) !== true) return `${name}: it is not a beginning of what was written`;
    if (letters?.startsWith(found) === true && letters !== found)
      return `${name}: ${found.length} of at least ${letters.length} letters`;
    endsLeast += lineEnds(owed);
    endsMost += lineEnds(stream);
  }
  const ends = lineEnds(body);
  // One more where the runner closed a line that was open.
  return ends < endsLeast || ends > endsMost + 1 ? `${ends} line ends, not ${endsLeast} to ${endsMost}` : undefined;
}

function withoutNotes(text: string, isSealed: boolean): string {
  const whole = text.replaceAll(/^\[switchyard\] [^\n]*\n/gm, '');
  return isSealed ? whole : whole.replace(/^\[[^\n]*$(?![\s\S])/m, '');
}

const lineEnds = (text: string): number => text.split('\n').length - 1;

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
