import type {ChildProcess} from 'node:child_process';
import {startChild, type Child} from './child.ts';
import {LineReader, type Seen} from './lines.ts';

/** The reader of a log in a process of its own. One log at a time. */
export type Reader = Pick<Child, 'stop'> & {
  /** Resolves when the reader follows this log. */
  readonly open: (target: string) => Promise<void>;
  /** Resolves when it has seen so many lines. Throws when they do not come: then the log has lost some. */
  readonly seen: (lines: number) => Promise<Seen>;
};

type Order = {readonly open: string} | {readonly expect: number};
type Report = {readonly opened: true} | {readonly seen: Seen} | {readonly failed: string};

const openMsMax = 10_000;
const seenMsMax = 60_000;
const pollMs = 2;

export async function startReader(program: string, env: Readonly<Record<string, string>>): Promise<Reader> {
  const child = await startChild(program, env);
  return {
    stop: child.stop,
    open: async target => {
      await ask(child.process, {open: target}, openMsMax);
    },
    seen: async lines => {
      const report = await ask(child.process, {expect: lines}, seenMsMax);
      if (!('seen' in report)) throw new Error('the reader answered something else');
      return report.seen;
    },
  };
}

function ask(child: ChildProcess, order: Order, msMax: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.off('message', take);
      reject(new Error(`the reader did not answer ${JSON.stringify(order)} within ${msMax} ms`));
    }, msMax);
    const take = (message: unknown): void => {
      clearTimeout(timer);
      const report = message as Report;
      if ('failed' in report) reject(new Error(`the reader failed: ${report.failed}`));
      else resolve(report);
    };
    child.once('message', take);
    child.send(order);
  });
}

/** Follows one log: hands on its bytes until it is told to stop. Resolves when it is sure to miss nothing. */
export type Follow = (target: string, onBytes: (piece: Uint8Array) => void) => Promise<() => void>;

/** In the reader: does what the benchmark asks over the channel. */
export function serveReader(follow: Follow, {everyLine = false} = {}): void {
  let lines = new LineReader({everyLine});
  let stop = (): void => undefined;
  const report = (message: Report): void => void process.send?.(message);

  const open = async (target: string): Promise<void> => {
    stop();
    const own = new LineReader({everyLine});
    lines = own;
    stop = await follow(target, piece => own.take(piece));
    report({opened: true});
  };
  const expect = async (count: number): Promise<void> => {
    const own = lines;
    while (own === lines && own.seen.lines < count) await new Promise(resolve => setTimeout(resolve, pollMs));
    report({seen: own.seen});
  };
  process.on('message', (order: Order) => {
    const work = 'open' in order ? open(order.open) : expect(order.expect);
    work.catch((error: unknown) => report({failed: String(error)}));
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}
