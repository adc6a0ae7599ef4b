import type * as z from 'zod';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type Responses = {readonly [Status in number]: z.ZodType};

/** What a caller needs: nothing, a bearer token with a scope, a token or a signed body, or a runner's own key. */
export type Auth = 'none' | 'signed' | 'runner' | Scope;
export const scopes = ['read', 'write', 'admin'] as const;
/** Each scope includes the ones before it. */
export type Scope = (typeof scopes)[number];

/** One HTTP operation: the only place where its path, its input and every answer are stated. */
export type Contract<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Responses> = {
  readonly id: string;
  readonly method: Method;
  /** Hono form, such as `/v1/tasks/:task`. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly auth: Auth;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Bytes of the largest body; `limits.bodyBytesMax` when absent. */
  readonly bodyBytesMax?: number;
  readonly responses: A;
  /** Other media types of the first answer, for a caller that accepts them; the schema is that of application/json. */
  readonly alsoProduces?: readonly string[];
};

export type AnyContract = Contract<z.ZodType, z.ZodType, z.ZodType, Responses>;

/** The union of `{status, body}` pairs that a handler of this contract may return. */
export type Answer<A extends Responses> = {
  [Status in keyof A & number]: {readonly status: Status; readonly body: z.input<A[Status]>};
}[keyof A & number];

/** Fixes the literal types of a contract; every operation may also answer with a problem document. */
export function contract<
  A extends Responses,
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(it: Contract<P, Q, B, A>): Contract<P, Q, B, A> {
  return it;
}
