/** The part of graphile-worker that is used. Stated here, because it is installed only when somebody measures. */
type Job = {readonly id: string};

export const Logger: new (factory: () => () => void) => LogFactory;
type LogFactory = {readonly log: unknown};

export function makeWorkerUtils(options: {readonly connectionString: string; readonly logger: LogFactory}): Promise<{
  readonly migrate: () => Promise<void>;
  readonly addJob: (name: string, payload: object) => Promise<Job>;
  readonly release: () => Promise<void>;
}>;

export function run(options: {
  readonly connectionString: string;
  readonly concurrency: number;
  readonly maxPoolSize: number;
  readonly noHandleSignals: boolean;
  readonly logger: LogFactory;
  readonly taskList: Readonly<Record<string, (payload: unknown, helpers: {readonly job: Job}) => Promise<void>>>;
}): Promise<{
  readonly events: {on(event: 'job:complete', listener: (event: {readonly job: Job}) => void): unknown};
  readonly stop: () => Promise<void>;
}>;
