import {existsSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';

import {LogLink} from '../../../runner/src/logs/log-link.ts';
import type {AgentStream} from '../../../runner/src/logs/log-merge.ts';
import {pumpStream} from '../../../runner/src/logs/log-pump.ts';
import {LogSpool} from '../../../runner/src/logs/log-spool.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';

/**
 * A runner reduced to its logs, to be killed: spools `out` and `err` of a directory until a file `exit` is there,
 * uploads, and prints the outcome as JSON. `flood <bytes>` spools so many bytes instead and prints its peak memory.
 */
const [directory = '.', mode = '', argument = ''] = process.argv.slice(2);
const secrets = new Secrets();
secrets.add(['very secret value']);
const spool = await LogSpool.open({directory, secrets});
const {signal} = new AbortController();

if (mode === 'flood') {
  const chunk = Buffer.from(
    'some line of a hundred bytes or so, as agents print them when they are asked to list all files ....\n'.repeat(655),
  );
  const source = async function* () {
    for (let left = Number(argument); left > 0; left -= chunk.length) yield chunk;
  };
  await pumpStream({spool, stream: 'out', source, signal});
  const end = await spool.finish();
  process.stdout.write(JSON.stringify({length: end?.length, maxRssKib: process.resourceUsage().maxRSS}));
} else {
  const link = new LogLink({
    spool,
    url: argument,
    headers: async () => ({}),
    nowMs: () => performance.now(),
    random: () => 0,
  });
  const outcome = link.run(signal);
  await Promise.all(
    (['out', 'err'] as const).map(stream => pumpStream({spool, stream, source: from => tail(stream, from), signal})),
  );
  const end = await spool.finish();
  if (end !== undefined) link.end(end);
  process.stdout.write(JSON.stringify(await outcome));
}
await spool.close();

async function* tail(stream: AgentStream, from: number): AsyncGenerator<Uint8Array> {
  const file = await open(join(directory, stream), 'r');
  try {
    for (let offset = from; ;) {
      // Asked before the read: what was written before the exit is then read for certain.
      const isOver = existsSync(join(directory, 'exit'));
      const {bytesRead, buffer} = await file.read(Buffer.alloc(8192), 0, 8192, offset);
      offset += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (isOver) return;
      else await delay(2);
    }
  } finally {
    await file.close();
  }
}
