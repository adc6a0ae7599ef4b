import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

const envelopeCharacters = '{"m":[]}'.length;

/** The fewest frames that hold these messages in order: each within the count and the size that a peer takes. */
export function framesOf(messages: readonly DownMessage[]): readonly string[] {
  const frames: string[] = [];
  let texts: string[] = [];
  let bytes = envelopeCharacters;
  const close = (): void => {
    if (texts.length > 0) frames.push(`{"m":[${texts.join(',')}]}`);
    texts = [];
    bytes = envelopeCharacters;
  };
  for (const message of messages) {
    const text = JSON.stringify(message);
    // UTF-16 units times three is the most that UTF-8 can need.
    const bytesMax = text.length * 3 + 1;
    if (texts.length >= limits.controlBatchMax || bytes + bytesMax > limits.controlFrameBytesMax) close();
    texts.push(text);
    bytes += bytesMax;
  }
  close();
  return frames;
}
