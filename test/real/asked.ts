import {setTimeout as delay} from 'node:timers/promises';
import {listApprovals, type ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {PATIENCE_MS, type Stage} from './stage.ts';

/** What the agent of a task asks a person, once it has asked; the failure shows how the task stands instead. */
export async function asked({bed}: Stage, task: TaskView['id']): Promise<ApprovalView> {
  for (const endMs = performance.now() + PATIENCE_MS; ; await delay(50)) {
    const {approvals} = await bed.client.call(listApprovals, {query: {task, state: 'open'}});
    const [approval] = approvals;
    if (approval !== undefined) return approval;
    if (performance.now() > endMs)
      throw new Error(`nothing is asked; the task is ${JSON.stringify(await bed.task(task))}`);
  }
}
