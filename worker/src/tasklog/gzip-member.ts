import {crc32, inflateRawSync} from 'node:zlib';

const headerBytes = 10;
const trailerBytes = 8;
/** Identification, deflate, and no field beyond the header that everybody writes. */
const plainHeader = [0x1f, 0x8b, 8, 0];

type InflateRaw = (
  bytes: Uint8Array,
  options: {readonly info: true; readonly maxOutputLength: number},
) => {readonly buffer: Uint8Array; readonly engine: {readonly bytesWritten: number}};
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the types of Node know nothing of `info`
const inflateRaw = inflateRawSync as unknown as InflateRaw;

/**
 * The content of one gzip member (RFC 1952) that takes all of the bytes. Throws for anything else: further members and
 * bytes behind the first are read by some readers and refused by others, browsers among them.
 */
export function contentOfMember(bytes: Uint8Array, outputBytesMax: number): Uint8Array {
  if (plainHeader.some((byte, at) => bytes[at] !== byte)) throw new RangeError('not a plain gzip header');
  const {buffer, engine} = inflateRaw(bytes.subarray(headerBytes), {info: true, maxOutputLength: outputBytesMax});
  const trailerAt = headerBytes + engine.bytesWritten;
  if (trailerAt + trailerBytes !== bytes.length) throw new RangeError('not exactly one gzip member');
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + trailerAt, trailerBytes);
  if (trailer.getUint32(0, true) !== crc32(buffer) || trailer.getUint32(4, true) !== buffer.length)
    throw new RangeError('the content is not what its checksum says');
  return buffer;
}
