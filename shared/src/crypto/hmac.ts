import {equalConstantTime, utf8, type Bytes} from './bytes.ts';

/** The one HMAC of the product: dispatch, webhooks, tokens, tickets and receipts all come here. */
export type HmacKey = {
  readonly sign: (message: Bytes) => Promise<Bytes>;
  /** Constant time. */
  readonly verify: (message: Bytes, mac: Uint8Array) => Promise<boolean>;
};

/** HMAC-SHA256 (RFC 2104) with one imported key, which is far cheaper than importing it for each message. */
export async function hmacKey(secret: Bytes): Promise<HmacKey> {
  const key = await crypto.subtle.importKey('raw', secret, {name: 'HMAC', hash: 'SHA-256'}, false, ['sign']);
  const sign = async (message: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.sign('HMAC', key, message));
  return {sign, verify: async (message, mac) => equalConstantTime(await sign(message), mac)};
}

/** Separates the uses of one secret: a MAC made for one purpose is worthless for another. */
export async function derivedHmacKey(secret: Bytes, purpose: string): Promise<HmacKey> {
  const parent = await hmacKey(secret);
  return hmacKey(await parent.sign(utf8(`switchyard/${purpose}`)));
}
