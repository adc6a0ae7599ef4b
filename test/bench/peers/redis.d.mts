/** The part of ioredis that is used. Stated here, because it is installed only when somebody measures. */
type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

export class Redis {
  constructor(options: {readonly host: string; readonly port: number; readonly maxRetriesPerRequest: null});
  xadd(key: string, id: '*', field: string, value: Uint8Array | string): Promise<string | null>;
  xreadBuffer(
    ...args: readonly [
      count: 'COUNT',
      most: number,
      block: 'BLOCK',
      ms: number,
      streams: 'STREAMS',
      key: string,
      after: string,
    ]
  ): Promise<readonly (readonly [key: Buffer, entries: readonly Entry[]])[] | null>;
  unlink(key: string): Promise<number>;
  quit(): Promise<unknown>;
  disconnect(): void;
}
