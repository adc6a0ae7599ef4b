import {createHash} from 'node:crypto';
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {LogSpool} from '../../../runner/src/logs/log-spool.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';

test('[LG19] a log whose disk takes nothing more ends with what was stored, and counts the rest as dropped', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'give-up-'));
  try {
    const spool = await LogSpool.open({directory, secrets: new Secrets()});
    await spool.append('out', Buffer.from('stored\n'));
    // A directory in the way of the cursor: no write can be completed, whoever asks.
    mkdirSync(join(directory, 'log.cursor.tmp'));
    await spool.append('out', Buffer.from('refused\n'));
    expect(await spool.finish()).toBeUndefined();
    const stored = readFileSync(join(directory, 'log')).subarray(0, spool.length);
    expect(stored.toString()).toBe('stored\n');
    const sha256 = createHash('sha256').update(stored).digest('hex');
    expect(await spool.giveUp()).toEqual({length: 7, sha256, droppedBytes: 8});
    await spool.close();
  } finally {
    rmSync(directory, {recursive: true, force: true});
  }
});
