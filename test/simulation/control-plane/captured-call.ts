import {SwitchyardError, type ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {Settled, Work} from '../../../worker/src/fleet/fleet-core.ts';
import type {GroupCommit} from '../../../worker/src/fleet/group-commit.ts';
import type {Outcome} from '../../../worker/src/fleet/fleet-rpc.ts';
import type {Service} from '../../../worker/src/fleet/service.ts';

/** What a client is told. */
export type Answer<Value> = {readonly ok: true; readonly value: Value} | {readonly ok: false; readonly code: ErrorCode};

/**
 * The work of one operation of the HTTP API, taken out of the promise that would wait for its commit: the shipped
 * function runs up to the commit, and the world decides when that is.
 */
export function capture<Value>(
  parts: Pick<Service, 'core' | 'randomBytes'>,
  call: (service: Service) => Promise<Outcome<Value>>,
): Work<unknown> {
  let taken: Work<unknown> | undefined;
  const commit = {
    run: (work: Work<unknown>): Promise<never> => {
      taken = work;
      return new Promise(() => undefined);
    },
  } as unknown as GroupCommit;
  void call({core: parts.core, randomBytes: parts.randomBytes, commit});
  if (taken === undefined) throw new Error('the operation did not come to its commit at once');
  return taken;
}

export function answerOf<Value>(settled: Settled<unknown>): Answer<Value> {
  if (settled.ok) return {ok: true, value: settled.value as Value};
  if (settled.error instanceof SwitchyardError) return {ok: false, code: settled.error.code};
  throw settled.error;
}
