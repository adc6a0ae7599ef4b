import type {AnswerMessage} from '@switchyard/shared/protocol/ask-message.ts';
import type {DownMessage, Offer} from '@switchyard/shared/protocol/down.ts';
import type {OfferCheck, RunnerEvent} from './runner-state.ts';
import {failureOf} from './work-calls.ts';

export type MessageReading = {
  /** Signature, then local policy: whether this offer may run here. */
  readonly checkOffer: (offer: Offer) => Promise<OfferCheck>;
  /** What a person said to an agent. */
  readonly onAnswer: (answer: AnswerMessage) => void;
  readonly log: (line: string) => void;
};

/** What a message of the server means to the reducer; `undefined` for one that is not the reducer's business. */
export async function eventOf(
  message: DownMessage,
  {checkOffer, onAnswer, log}: MessageReading,
): Promise<RunnerEvent | undefined> {
  switch (message.t) {
    case 'challenge':
    case 'rotate':
    case 'allowance':
    case 'budget_warning':
      return undefined;
    case 'server_drain':
      log(`the control plane restarts in ${message.after_ms} ms`);
      return undefined;
    case 'answer':
      onAnswer(message);
      return undefined;
    case 'welcome':
      return {kind: 'welcome', welcome: message};
    case 'offer':
      return {kind: 'offer', offer: message, check: await checked(checkOffer, message)};
    case 'go':
    case 'gone':
    case 'renewed':
    case 'exit_ack':
    case 'exit_nack':
    case 'cancel':
    case 'input':
    case 'drain':
    case 'resume':
      return {kind: 'message', message};
  }
}

/** A check that fails for a reason of its own refuses nothing for good. */
async function checked(checkOffer: MessageReading['checkOffer'], offer: Offer): Promise<OfferCheck> {
  try {
    return await checkOffer(offer);
  } catch (error) {
    const {code, detail} = failureOf(error);
    return {ok: false, code, detail, retryable: true};
  }
}
