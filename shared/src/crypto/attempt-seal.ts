import {equalConstantTime, fromHex, toHex, utf8, type Bytes} from './bytes.ts';
import {derivedHmacKey} from './hmac.ts';

/**
 * Two short proofs that let the Fleet and the TaskLog trust each other through the runner, without a call between the
 * objects: a *ticket* (Fleet to TaskLog: this runner may write the log of this attempt) and a *receipt* (TaskLog to
 * Fleet: the log of this attempt is whole, has this length and this hash).
 */
export type LogTicket = {readonly pool: string; readonly task: string; readonly epoch: number; readonly runner: string};
export type LogReceipt = {
  readonly task: string;
  readonly epoch: number;
  readonly length: number;
  readonly sha256: string;
};

export type AttemptSeal = {
  readonly ticket: (claims: LogTicket) => Promise<string>;
  readonly verifyTicket: (ticket: string, claims: LogTicket) => Promise<boolean>;
  readonly receipt: (claims: LogReceipt) => Promise<string>;
  readonly verifyReceipt: (receipt: string, claims: LogReceipt) => Promise<boolean>;
};

const ticketText = ({pool, task, epoch, runner}: LogTicket): Bytes =>
  utf8(['ticket', pool, task, epoch, runner].join('\n'));
const receiptText = ({task, epoch, length, sha256}: LogReceipt): Bytes =>
  utf8(['receipt', task, epoch, length, sha256].join('\n'));

export async function attemptSeal(secret: Bytes): Promise<AttemptSeal> {
  const key = await derivedHmacKey(secret, 'attempt-seal');
  const sign = async (text: Bytes): Promise<string> => toHex(await key.sign(text));
  const verify = async (mac: string, text: Bytes): Promise<boolean> =>
    equalConstantTime(await key.sign(text), fromHex(mac) ?? new Uint8Array());
  return {
    ticket: async claims => sign(ticketText(claims)),
    verifyTicket: async (ticket, claims) => verify(ticket, ticketText(claims)),
    receipt: async claims => sign(receiptText(claims)),
    verifyReceipt: async (receipt, claims) => verify(receipt, receiptText(claims)),
  };
}
