import type {Sql, SqlValue} from './sql.ts';

/** The SQLite of a Durable Object behind the port of the Fleet. */
export function durableObjectSql(storage: DurableObjectStorage): Sql {
  return {
    all: <Row extends {readonly [Column in keyof Row]: SqlValue}>(query: string, ...params: readonly SqlValue[]) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the query states the shape of its rows
      storage.sql.exec(query, ...params).toArray() as unknown as Row[],
    run: (query, ...params) => {
      storage.sql.exec(query, ...params);
    },
    transaction: work => storage.transactionSync(work),
  };
}
