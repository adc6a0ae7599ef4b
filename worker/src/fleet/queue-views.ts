import {highLevel, queueNames, queueTopic, type QueueView} from '@switchyard/shared/api/queue-contracts.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {keyBound} from '@switchyard/shared/domain/queue-order.ts';
import {one} from './sql.ts';
import type {Sight} from './views.ts';

type Range = {readonly from: number; readonly to: number};

/** Both queues as they stand now. Counts every waiting task, so only for somebody who looks. */
export function queueViews({sql, pool, nowMs}: Sight): readonly QueueView[] {
  const bound = keyBound(highLevel, nowMs);
  const ranges: Readonly<Record<(typeof queueNames)[number], Range>> = {
    high: {from: 0, to: bound},
    normal: {from: bound, to: Number.MAX_SAFE_INTEGER},
  };
  return queueNames.map(queue => {
    const {from, to} = ranges[queue];
    const {waiting} = one(
      sql.all<{waiting: number}>(
        `SELECT count(*) AS waiting FROM task INDEXED BY task_queue
         WHERE state = 'queued' AND order_key >= ? AND order_key < ?`,
        from,
        to,
      ),
    );
    const [head] = sql.all<{id: string; queued_ms: number}>(
      `SELECT id, queued_ms FROM task INDEXED BY task_queue
       WHERE state = 'queued' AND order_key >= ? AND order_key < ? ORDER BY order_key, id LIMIT 1`,
      from,
      to,
    );
    return {
      topic: queueTopic(pool, queue),
      waiting,
      next: head === undefined ? null : taskIdSchema.parse(head.id),
      next_queued_ms: head?.queued_ms ?? null,
    };
  });
}
