import {apiClient} from '@switchyard/shared/api/client.ts';
import {serveReader} from '../reader.ts';

/** A reader over server-sent events, with the client that people get. */
const client = apiClient({url: process.env['BENCH_URL'] ?? '', token: process.env['BENCH_TOKEN'] ?? ''});

serveReader(
  async (task, onBytes) => {
    const over = new AbortController();
    const follow = async (): Promise<void> => {
      for await (const item of client.followLog(task, {signal: over.signal}))
        if (item.kind === 'bytes') onBytes(item.bytes);
    };
    follow().catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    });
    return () => over.abort();
  },
  {everyLine: true},
);
