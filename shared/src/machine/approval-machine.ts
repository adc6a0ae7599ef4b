import type {Machine} from './machine.ts';

/**
 * The life of what a person is asked, held by the Fleet: whether a tool call of an agent may run, a question of an agent,
 * or more of a budget that is spent.
 *
 * Only `open` can be decided, and the first decision stands. `withdrawn` means that nobody waits for it any more. An
 * agent that asks the same in a later attempt, one that did not go on where the earlier one waited, asks anew.
 */
export const approvalStates = ['open', 'approved', 'rejected', 'answered', 'expired', 'withdrawn'] as const;
export type ApprovalState = (typeof approvalStates)[number];

export type ApprovalEvent = 'approve' | 'grant' | 'reject' | 'answer' | 'timePassed' | 'withdraw' | 'askedAnew';
type ApprovalGuard = 'isPermission' | 'isQuestion' | 'isBudget';

export const approvalKinds = ['permission', 'question', 'budget'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

const anew = {askedAnew: [{to: 'open'}]} as const;

export const approvalMachine: Machine<ApprovalState, ApprovalEvent, ApprovalGuard, never, {kind: ApprovalKind}> = {
  initial: 'open',
  table: {
    open: {
      approve: [{when: 'isPermission', to: 'approved'}],
      grant: [{when: 'isBudget', to: 'approved'}],
      answer: [{when: 'isQuestion', to: 'answered'}],
      reject: [{to: 'rejected'}],
      timePassed: [{to: 'expired'}],
      withdraw: [{to: 'withdrawn'}],
    },
    approved: anew,
    rejected: anew,
    answered: anew,
    expired: anew,
    withdrawn: anew,
  },
  guards: {
    isPermission: ({kind}) => kind === 'permission',
    isQuestion: ({kind}) => kind === 'question',
    isBudget: ({kind}) => kind === 'budget',
  },
};
