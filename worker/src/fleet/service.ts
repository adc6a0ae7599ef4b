import type {Scope} from '@switchyard/shared/api/contract.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RandomBytes} from '@switchyard/shared/domain/id.ts';
import type {Batch} from './batch.ts';
import type {FleetCore, Work} from './fleet-core.ts';
import type {Caller, Outcome} from './fleet-rpc.ts';
import type {GroupCommit} from './group-commit.ts';
import {nonceOf, permit, spendNonce} from './permission.ts';
import type {Sight} from './views.ts';

/** What the operations of the Fleet are made from. */
export type Service = {
  readonly core: FleetCore;
  readonly commit: GroupCommit;
  readonly randomBytes: RandomBytes;
};

/** Turns refusals into values; anything else is a defect and stays an error. */
export async function outcomeOf<Value>(run: () => Promise<Value>): Promise<Outcome<Value>> {
  try {
    return {ok: true, value: await run()};
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    const {code, detail, retryAfterMs} = error;
    return retryAfterMs === undefined ? {ok: false, code, detail} : {ok: false, code, detail, retryAfterMs};
  }
}

type Ask = {readonly caller: Caller; readonly scope: Scope};

/** Answers from what is committed, without waiting for a batch, unless the nonce of the caller has to be remembered. */
export function reading<Value>(
  service: Service,
  {caller, scope}: Ask,
  look: (sight: Sight) => Value,
): Promise<Outcome<Value>> {
  const {core, commit} = service;
  return outcomeOf(async () => {
    if (nonceOf(caller) === undefined) {
      permit(core.memory, caller, scope);
      return look(core.sight());
    }
    return commit.run(batch => {
      permit(batch.memory, caller, scope);
      spendNonce(batch.context.sql, caller);
      return () => look(core.sight());
    });
  });
}

/** Runs work in the next batch, in the name of a caller who may. */
export function writing<Value>(
  {commit}: Service,
  {caller, scope}: Ask,
  work: (batch: Batch) => ReturnType<Work<Value>>,
): Promise<Outcome<Value>> {
  return outcomeOf(async () =>
    commit.run(batch => {
      permit(batch.memory, caller, scope);
      spendNonce(batch.context.sql, caller);
      return work(batch);
    }),
  );
}
