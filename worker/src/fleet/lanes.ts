import {readLane, type LaneKey} from './lane.ts';
import type {Sql} from './sql.ts';
import type {TaskRow} from './task-row.ts';

/** Queued tasks of one lane: how many, and the first of them. */
export type Lane = {
  readonly text: string;
  readonly key: LaneKey;
  count: number;
  /** Order key of the first task, as far as it is known without a query. */
  headKey: number;
  /** The first tasks in order; every other task of the lane comes after the last of these. */
  readonly first: TaskRow[];
  /** Whether the database holds more than `first`. */
  hasMore: boolean;
};

const pageRows = 128;
const bufferRowsMax = 256;
/** All lanes together keep no more rows than this in memory. */
const bufferedRowsMax = 20_000;

const isBefore = (left: TaskRow, right: TaskRow): boolean =>
  left.order_key < right.order_key || (left.order_key === right.order_key && left.id < right.id);

/**
 * The queue. The database holds all of it; memory holds one entry per lane and the first few tasks of those that move,
 * so that adding and taking a task costs the same with ten tasks waiting as with a hundred thousand.
 */
export class Lanes {
  readonly #sql: Sql;
  readonly #lanes = new Map<string, Lane>();
  #buffered = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
    type Row = {lane: string; tasks: number; head: number};
    const rows = sql.all<Row>(
      "SELECT lane, count(*) AS tasks, min(order_key) AS head FROM task WHERE state = 'queued' GROUP BY lane",
    );
    for (const {lane, tasks, head} of rows)
      this.#lanes.set(lane, {
        text: lane,
        key: readLane(lane),
        count: tasks,
        headKey: head,
        first: [],
        hasMore: true,
      });
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }

  get(text: string): Lane | undefined {
    return this.#lanes.get(text);
  }

  add(row: TaskRow): void {
    const lane = this.#lanes.get(row.lane) ?? this.#open(row);
    lane.count += 1;
    lane.headKey = Math.min(lane.headKey, row.order_key);
    const last = lane.first.at(-1);
    if (lane.hasMore && (last === undefined || !isBefore(row, last))) return;
    let at = lane.first.length;
    for (let before = lane.first[at - 1]; before !== undefined && isBefore(row, before); before = lane.first[at - 1])
      at -= 1;
    lane.first.splice(at, 0, row);
    this.#buffered += 1;
    if (lane.first.length > bufferRowsMax) this.#shorten(lane, pageRows);
    if (this.#buffered > bufferedRowsMax) this.#shorten(lane, 0);
  }

  remove(row: TaskRow): void {
    const lane = this.#lanes.get(row.lane);
    if (lane === undefined) return;
    lane.count -= 1;
    const at = lane.first.findIndex(({id}) => id === row.id);
    if (at >= 0) {
      lane.first.splice(at, 1);
      this.#buffered -= 1;
      lane.headKey = lane.first[0]?.order_key ?? lane.headKey;
    }
    if (lane.count === 0) {
      this.#buffered -= lane.first.length;
      this.#lanes.delete(row.lane);
    }
  }

  /** The first task of the lane. What is not in memory is read, so the database has to be up to date when it is asked. */
  head(lane: Lane, bringUpToDate: () => void): TaskRow | undefined {
    if (lane.first.length === 0 && lane.hasMore) {
      bringUpToDate();
      const rows = this.#sql.all<TaskRow>(
        "SELECT * FROM task WHERE state = 'queued' AND lane = ? ORDER BY order_key, id LIMIT ?",
        lane.text,
        pageRows,
      );
      lane.first.push(...rows);
      this.#buffered += rows.length;
      lane.hasMore = lane.count > rows.length;
    }
    const [head] = lane.first;
    if (head !== undefined) lane.headKey = head.order_key;
    return head;
  }

  #open(row: TaskRow): Lane {
    const lane = {
      text: row.lane,
      key: readLane(row.lane),
      count: 0,
      headKey: row.order_key,
      first: [],
      hasMore: false,
    };
    this.#lanes.set(row.lane, lane);
    return lane;
  }

  #shorten(lane: Lane, rows: number): void {
    this.#buffered -= lane.first.length - rows;
    lane.first.length = rows;
    lane.hasMore = true;
  }
}
