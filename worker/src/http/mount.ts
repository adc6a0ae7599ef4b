import type {Context, Hono} from 'hono';
import type * as z from 'zod';
import type {Answer, Contract, Responses} from '@switchyard/shared/api/contract.ts';
import type {Bytes} from '@switchyard/shared/crypto/bytes.ts';
import type {SignedRequest} from '@switchyard/shared/crypto/request-signature.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {jsonAnswer} from './answer-headers.ts';
import {parseJsonBody, readBody} from './body.ts';
import {claimOf, type Access} from './caller.ts';
import {headerOf, signedView} from './exchange.ts';
import type {Installation} from './installation.ts';
import {validate} from './validate.ts';

export type Api = {readonly app: Hono; readonly installation: Installation};

type Input<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  /** The body as it was sent: what a signature covers and an idempotency key hashes. */
  readonly rawBody: Bytes;
  readonly header: SignedRequest['header'];
  readonly context: Context;
};

/**
 * Binds a contract that needs a caller: `mount(api, getTask)(async ({params, fleet}) => ({status: 200, body: task}))`.
 *
 * Curried so that the contract fixes the type of the answer before the handler is checked: a status or a body that the
 * contract does not state does not compile. In one call TypeScript would widen `status: 404` to `number`.
 */
export function mount<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Responses>(
  {app, installation}: Api,
  contract: Contract<P, Q, B, A>,
) {
  const {auth} = contract;
  if (auth === 'none' || auth === 'runner') throw new SwitchyardError('internal', `${contract.id} has no caller`);
  return (handler: (input: Input<P, Q, B> & Access) => Promise<Answer<A> | Response>): void => {
    app.on(contract.method, contract.path, async context => {
      // The caller is settled before a byte of the body is understood; a signature needs the bytes.
      const claim = await claimOf(headerOf(context.req.raw), auth, installation);
      const {signed, rawBody} = await receive(context, contract.bodyBytesMax);
      const access = await claim(signed);
      return answer(await handler({...read(contract, context, signed), ...access, rawBody, context}));
    });
  };
}

/** Binds a contract that anybody may call, or that looks for its own kind of credential. */
export function mountOpen<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Responses>(
  {app}: Api,
  contract: Contract<P, Q, B, A>,
) {
  if (contract.auth !== 'none') throw new SwitchyardError('internal', `${contract.id} needs a caller`);
  return (handler: (input: Input<P, Q, B>) => Promise<Answer<A> | Response>): void => {
    app.on(contract.method, contract.path, async context => {
      const {signed, rawBody} = await receive(context, contract.bodyBytesMax);
      return answer(await handler({...read(contract, context, signed), rawBody, context}));
    });
  };
}

async function receive(context: Context, bodyBytesMax = limits.bodyBytesMax) {
  const rawBody = await readBody(context.req.raw, bodyBytesMax);
  return {rawBody, signed: signedView(context.req.raw, rawBody)};
}

function read<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  {params, query, body}: Pick<Contract<P, Q, B, Responses>, 'params' | 'query' | 'body'>,
  context: Context,
  signed: SignedRequest,
) {
  const input = {
    params: params && validate(params, context.req.param(), 'params'),
    query: query && validate(query, context.req.query(), 'query'),
    body: body && validate(body, parseJsonBody(signed.body, signed.header('content-type')), 'body'),
    header: signed.header,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a part without a schema has the output `undefined`
  return input as {params: z.output<P>; query: z.output<Q>; body: z.output<B>; header: SignedRequest['header']};
}

function answer(given: {readonly status: number; readonly body: unknown} | Response): Response {
  return given instanceof Response ? given : jsonAnswer(JSON.stringify(given.body), given.status);
}
