/** The part of BullMQ that is used. Stated here, because it is installed only when somebody measures. */
type Connection = {readonly host: string; readonly port: number; readonly maxRetriesPerRequest?: null};
type Job = {readonly id?: string | undefined};
type Options = {readonly removeOnComplete: number};

export class Queue {
  constructor(name: string, options: {readonly connection: Connection});
  waitUntilReady(): Promise<unknown>;
  add(name: string, data: object, options: Options): Promise<Job>;
  addBulk(jobs: readonly {readonly name: string; readonly data: object; readonly opts: Options}[]): Promise<unknown>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

export class Worker {
  constructor(
    name: string,
    work: (job: Job) => Promise<void>,
    options: {readonly connection: Connection; readonly concurrency: number},
  );
  on(event: 'completed', listener: (job: Job) => void): this;
  waitUntilReady(): Promise<unknown>;
  close(force: boolean): Promise<void>;
}
