/** What to do with `bytes` raw bytes that claim to stand at `offset`. `len` is always the stored length to answer. */
export type LogAppendVerdict =
  /** Bytes are missing between the stored end and the offset: store nothing, the sender goes back to `len`. */
  | {readonly kind: 'nack'; readonly len: number}
  /** Every byte is known already: store nothing. */
  | {readonly kind: 'ack'; readonly len: number}
  /** Store the bytes after the first `skip`; acknowledge `len` once they are durable. */
  | {readonly kind: 'append'; readonly skip: number; readonly len: number};

/**
 * The rule that makes a log whole under loss, repetition and reordering: it only ever grows at its end, by bytes that
 * continue it. To be decided and carried out in one transaction.
 */
export function decideLogAppend(
  storedBytes: number,
  frame: {readonly offset: number; readonly bytes: number},
): LogAppendVerdict {
  const end = frame.offset + frame.bytes;
  if (frame.offset > storedBytes) return {kind: 'nack', len: storedBytes};
  if (end <= storedBytes) return {kind: 'ack', len: storedBytes};
  return {kind: 'append', skip: storedBytes - frame.offset, len: end};
}
