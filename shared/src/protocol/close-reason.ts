import {utf8} from '../crypto/bytes.ts';

/** RFC 6455, section 5.5: a control frame holds 125 bytes, two of them the code. */
const reasonBytesMax = 123;

/** As much of the text as the close of a WebSocket can say, in whole characters: with a longer one nothing is closed. */
export function closeReason(text: string): string {
  return new TextDecoder('utf-8', {fatal: false, ignoreBOM: true}).decode(
    utf8(text.slice(0, reasonBytesMax)).subarray(0, reasonBytesMax),
    {stream: true},
  );
}
