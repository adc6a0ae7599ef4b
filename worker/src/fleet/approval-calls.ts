import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ApprovalId} from '@switchyard/shared/domain/id.ts';
import {approvalById, approvalView, pageOfApprovals} from './approval-row.ts';
import {decide, type Decision} from './asks.ts';
import type {ApprovalPage, Caller, Outcome} from './fleet-rpc.ts';
import {actorOf, nameOf} from './permission.ts';
import {reading, writing, type Service} from './service.ts';

/** The inbox of what agents ask people, as the Worker calls it. */

export function listApprovals(
  service: Service,
  caller: Caller,
  page: ApprovalPage,
): Promise<Outcome<{readonly approvals: readonly ApprovalView[]; readonly next: string | null}>> {
  return reading(service, {caller, scope: 'read'}, ({sql}) => pageOfApprovals(sql, page));
}

export function getApproval(service: Service, caller: Caller, id: ApprovalId): Promise<Outcome<ApprovalView>> {
  return reading(service, {caller, scope: 'read'}, ({sql}) => {
    const row = approvalById(sql, id);
    if (row === undefined) throw new SwitchyardError('not_found', `there is no approval ${id}`);
    return approvalView(row);
  });
}

export function decideApproval(
  service: Service,
  caller: Caller,
  {id, decision, text}: Pick<Decision, 'decision' | 'text'> & {readonly id: ApprovalId},
): Promise<Outcome<ApprovalView>> {
  return writing(service, {caller, scope: 'write'}, batch => {
    const row = decide(batch, id, {decision, text, by: nameOf(batch.memory, caller)});
    batch.audit({actor: actorOf(caller), action: `approval.${decision}`, target: id, detail: row.tool});
    return () => approvalView(row);
  });
}
