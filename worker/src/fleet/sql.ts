export type SqlValue = string | number | null;

/**
 * The synchronous SQLite that the Fleet lives in: the storage of a Durable Object, or `node:sqlite` where the same code
 * is simulated. A query answers rows in the shape of its columns, which the caller states; nothing is converted.
 */
export interface Sql {
  all<Row extends {readonly [Column in keyof Row]: SqlValue}>(query: string, ...params: readonly SqlValue[]): Row[];
  run(query: string, ...params: readonly SqlValue[]): void;
  /** All or nothing; may be nested, and the inner one then rolls back alone. Throws what `work` throws. */
  transaction<T>(work: () => T): T;
}

/** The one row of a query that cannot answer fewer. */
export function one<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a query that always answers a row answered none');
  return row;
}
