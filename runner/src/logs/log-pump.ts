import {setTimeout as delay} from 'node:timers/promises';

import type {AgentStream} from './log-merge.ts';
import type {LogSpool} from './log-spool.ts';

/** A line that stays open for so long is shown as far as it is. */
export const openLineMs = 250;

/** Between two offers of the same bytes to a disk that takes none. */
export const fullRetryMs = 1000;

/**
 * Moves one raw stream of the agent into the spool until the source ends or `signal` aborts. `source` begins at the
 * given raw offset and ends when the stream has. Waits, never drops, while the disk is full: the agent writes on into
 * its raw file meanwhile. Answers whether the stream has ended; rejects only with what `source` throws.
 */
export async function pumpStream(options: {
  readonly spool: LogSpool;
  readonly stream: AgentStream;
  readonly source: (fromOffset: number) => AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}): Promise<'ended' | 'aborted'> {
  const {spool, stream, source, signal} = options;
  const chunks = source(spool.readFrom(stream))[Symbol.asyncIterator]();
  const abort = Promise.withResolvers<'aborted'>();
  const onAbort = (): void => abort.resolve('aborted');
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const chunk = chunks.next();
      const got = await Promise.race([afterPauses(chunk, {spool, stream, signal}), abort.promise]);
      if (got === 'aborted') {
        // The read that is under way ends with the source; its bytes are read again by whoever goes on.
        chunk.catch(() => undefined);
        return 'aborted';
      }
      if (got.done === true) {
        await spool.endStream(stream);
        return 'ended';
      }
      await offer(got.value, {spool, stream, signal});
    }
    return 'aborted';
  } finally {
    signal.removeEventListener('abort', onAbort);
    void chunks.return?.()?.catch(() => undefined);
  }
}

interface Target {
  readonly spool: LogSpool;
  readonly stream: AgentStream;
  readonly signal: AbortSignal;
}

/** While the stream pauses, shows its open line and lets the spool try its disk again. */
async function afterPauses<T>(chunk: Promise<T>, {spool, stream, signal}: Target): Promise<T> {
  do {
    const pause = new AbortController();
    const paused = delay(openLineMs, 'paused' as const, {signal: pause.signal}).catch(() => 'paused' as const);
    const first = await Promise.race([chunk.then(() => 'chunk' as const), paused]);
    pause.abort();
    if (first === 'chunk') return chunk;
    await spool.flushOpenLine(stream);
  } while (spool.health.kind !== 'ok' && !signal.aborted);
  return chunk;
}

async function offer(bytes: Uint8Array, {spool, stream, signal}: Target): Promise<void> {
  while (!signal.aborted && (await spool.append(stream, bytes)) === 'full') {
    await delay(fullRetryMs, undefined, {signal}).catch(() => undefined);
  }
}
