import {crc32, inflateRawSync} from 'node:zlib';

const headerBytes = 10;
const trailerBytes = 8;
/** Smallest buffer that zlib takes. */
const bufferBytesMin = 64;
/** Identification, deflate, and no field beyond the header that everybody writes. */
const plainHeader = [0x1f, 0x8b, 8, 0];

type InflateRaw = (
  bytes: Uint8Array,
  options: {readonly info: true; readonly chunkSize: number; readonly maxOutputLength: number},
) => {readonly buffer: Uint8Array; readonly engine: {readonly bytesWritten: number}};
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the types of Node know nothing of `info`
const inflateRaw = inflateRawSync as unknown as InflateRaw;

/**
 * The content of one gzip member (RFC 1952) that takes all of the bytes. Throws for anything else: further members and
 * bytes behind the first are read by some readers and refused by others, browsers among them.
 *
 * The member says how long its content is, so that it is inflated into a buffer that never grows: into one that does it
 * costs twice as much.
 */
export function contentOfMember(bytes: Uint8Array, contentBytesMax: number): Uint8Array {
  if (plainHeader.some((byte, at) => bytes[at] !== byte)) throw new RangeError('not a plain gzip header');
  if (bytes.length < headerBytes + trailerBytes) throw new RangeError('not a whole gzip member');
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - trailerBytes, trailerBytes);
  const contentBytes = trailer.getUint32(4, true);
  if (contentBytes > contentBytesMax) throw new RangeError(`a content of ${contentBytes} bytes`);
  // One byte more, or a content that is longer than it says would look like one that ends there.
  const bufferBytes = Math.max(bufferBytesMin, contentBytes + 1);
  const options = {info: true, chunkSize: bufferBytes, maxOutputLength: bufferBytes} as const;
  const {buffer, engine} = inflateRaw(bytes.subarray(headerBytes), options);
  if (headerBytes + engine.bytesWritten + trailerBytes !== bytes.length)
    throw new RangeError('not exactly one gzip member');
  if (trailer.getUint32(0, true) !== crc32(buffer) || contentBytes !== buffer.length)
    throw new RangeError('the content is not what its checksum says');
  return buffer;
}
