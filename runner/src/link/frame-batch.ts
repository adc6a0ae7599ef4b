import {nestsDeeper} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {messageLevelsMax} from '@switchyard/shared/protocol/batch.ts';
import {upMessageSchema, type UpMessage} from '@switchyard/shared/protocol/up.ts';

/** Room for the envelope of the batch and the commas. */
const envelopeCharacters = 16;

/**
 * The frames that carry these messages in order, as few as the limits of a frame allow. A message that breaks its own
 * schema is left out and said: the server would end the session for it, and for all that is in the frame.
 */
export function framesOf(messages: readonly UpMessage[], log: (line: string) => void): readonly string[] {
  const frames: string[][] = [];
  let last: string[] = [];
  let characters = 0;
  for (const message of messages) {
    if (nestsDeeper(message, messageLevelsMax)) {
      log(`a message was not sent: ${message.t} is nested too deeply`);
      continue;
    }
    const checked = upMessageSchema.safeParse(message);
    if (!checked.success) {
      log(`a message was not sent: ${message.t} ${checked.error.issues[0]?.path.join('.')}`);
      continue;
    }
    const text = JSON.stringify(checked.data);
    const isFull =
      last.length >= limits.controlBatchMax ||
      characters + text.length + 1 > limits.controlFrameBytesMax - envelopeCharacters;
    if (frames.length === 0 || isFull) {
      last = [];
      frames.push(last);
      characters = 0;
    }
    last.push(text);
    characters += text.length + 1;
  }
  return frames.map(parts => `{"m":[${parts.join(',')}]}`);
}
