import {createHash} from 'node:crypto';
import type * as z from 'zod';
import type {Dispatch} from '@switchyard/shared/protocol/envelope.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {hashText} from '../kernel/chance.ts';

/**
 * A signer without a key schedule: a mark over the text that is signed. Real signatures are made by WebCrypto, which
 * answers when it likes; what they prove is tested elsewhere. What is decided from a verified text is the shipped code.
 */
const mark = (text: string): string => hashText(text, 0x51a7e).toString(16);

export const sha256Of = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

export type Signed = {readonly text: string; readonly sig: string};

export function signed(value: Dispatch | ExitRecord): string {
  const text = JSON.stringify(value);
  return `${mark(text)}.${text}`;
}

/** `undefined` for a text that somebody changed, or that is not what it should be. */
export function verified<Schema extends z.ZodType>(envelope: string, schema: Schema): z.output<Schema> | undefined {
  const dot = envelope.indexOf('.');
  const text = envelope.slice(dot + 1);
  return mark(text) === envelope.slice(0, dot) ? schema.safeParse(JSON.parse(text)).data : undefined;
}

export const sealOf = (...claims: readonly (string | number)[]): string => mark(claims.join('\n'));
