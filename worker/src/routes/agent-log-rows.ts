import type {AgentLog, AgentLogRow} from '@switchyard/shared/api/agent-contracts.ts';
import {concat} from '@switchyard/shared/crypto/bytes.ts';
import {openTailBytes} from '../http/utf8-boundary.ts';
import type {LogChunks} from '../tasklog/task-log-rpc.ts';

type Stored = LogChunks & {
  /** Where the first chunk begins. */
  readonly from: number;
  /** Nothing follows the stored bytes. */
  readonly isOver: boolean;
};

/**
 * Stored chunks as rows of the older table. A row ends between two characters: what a chunk leaves open begins the next
 * row, on this page or on the next one.
 */
export function logRows(agent: string, {chunks, from, length, isOver}: Stored): AgentLog {
  const rows: AgentLogRow[] = [];
  let tail: Uint8Array = new Uint8Array();
  let to = from;
  for (const chunk of chunks) {
    const bytes = concat(tail, chunk.bytes);
    const isLast = isOver && chunk.to >= length;
    const open = isLast ? 0 : openTailBytes(bytes);
    tail = bytes.subarray(bytes.length - open);
    if (open === bytes.length) continue;
    to = chunk.to - open;
    rows.push({
      id: to,
      agent_id: agent,
      timestamp: chunk.atMs === null ? null : new Date(chunk.atMs).toISOString(),
      stream: 'combined',
      content: new TextDecoder('utf-8', {fatal: false, ignoreBOM: true}).decode(bytes.subarray(0, bytes.length - open)),
    });
  }
  return {logs: rows, from, to, length, complete: isOver && to >= length};
}
