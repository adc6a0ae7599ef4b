import * as agent from './agent-contracts.ts';
import * as approval from './approval-contracts.ts';
import * as budget from './budget-contracts.ts';
import type {AnyContract} from './contract.ts';
import * as history from './history-contracts.ts';
import * as pool from './pool-contracts.ts';
import * as queue from './queue-contracts.ts';
import * as runner from './runner-contracts.ts';
import * as task from './task-contracts.ts';

/** Every operation of the API, in the order of the published document. */
export const contracts: readonly AnyContract[] = [
  task.createTask,
  task.createTasks,
  task.listTasks,
  task.getTask,
  task.listTaskEvents,
  task.cancelTask,
  task.retryTask,
  task.messageTask,
  task.getTaskLog,
  history.listHistory,
  approval.listApprovals,
  approval.getApproval,
  approval.decideApproval,
  runner.listRunners,
  runner.createEnrolment,
  runner.enrolRunner,
  runner.rotateRunnerKey,
  runner.drainRunner,
  runner.resumeRunner,
  runner.revokeRunner,
  pool.getPool,
  pool.changePool,
  queue.listQueues,
  budget.listBudgets,
  budget.putBudget,
  budget.overrideBudget,
  budget.deleteBudget,
  budget.listCosts,
  pool.listCredentials,
  pool.createCredential,
  pool.revokeCredential,
  pool.createPool,
  pool.getHealth,
  agent.listAgents,
  agent.listActiveAgents,
  agent.getAgent,
  agent.getAgentLogs,
  agent.getServiceHealth,
];
