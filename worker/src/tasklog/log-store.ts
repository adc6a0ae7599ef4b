import {attemptEnds, type AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {taskStateSchema} from '@switchyard/shared/api/task-view.ts';
import {logPayloadBytesMax} from '@switchyard/shared/protocol/log-frame.ts';
import * as z from 'zod';
import {contentOfMember} from './gzip-member.ts';

/** One attempt's range of the stream; it ends where the next one begins, or at the end of the stream. */
export type AttemptRange = {
  readonly epoch: number;
  readonly base: number;
  readonly length: number;
  readonly runner: string;
  /** Set once the attempt was found whole. */
  readonly sha256: string | null;
};

export type StoredChunk = {
  readonly start: number;
  readonly rawBytes: number;
  readonly isGzip: boolean;
  readonly bytes: Uint8Array;
  /** When it was stored; null for what was stored before this was noted. */
  readonly atMs: number | null;
};

type AttemptRow = {epoch: number; base: number; runner: string; sha256: string | null};
type ChunkRow = {start: number; raw_bytes: number; is_gzip: number; bytes: ArrayBuffer; at_ms: number | null};

const attemptEndSchema = z.enum(attemptEnds);

/**
 * The rows of one task's log. The length of the stream is not stored: it is where the last chunk ends, so an append
 * writes one row and nothing else.
 */
export type LogStore = {
  readonly end: () => number;
  readonly attempts: () => readonly AttemptRange[];
  readonly newest: () => AttemptRange | undefined;
  /** Begins an attempt at the end of the stream; the lower ones never change again. */
  readonly open: (epoch: number, runner: string) => void;
  /** Begins an attempt that stays empty, between its neighbours where a later one has begun; one that is there stays. */
  readonly openEmpty: (epoch: number, runner: string) => void;
  readonly append: (chunk: StoredChunk) => void;
  readonly seal: (epoch: number, sha256: string) => void;
  /** The chunk that holds the byte at `offset`; undefined at the end of the stream. */
  readonly chunkAt: (offset: number) => StoredChunk | undefined;
  readonly ending: () => TaskState | undefined;
  readonly finish: (state: TaskState) => void;
  /** How an attempt ended, as far as the log was told. */
  readonly attemptEnding: (epoch: number) => AttemptEnd | undefined;
  readonly finishAttempt: (epoch: number, state: AttemptEnd) => void;
  /** The highest attempt whose runner may write no more; 0 where there is none. */
  readonly fenced: () => number;
  readonly fence: (epoch: number) => void;
  /** To be called when a transaction failed: what is remembered of its rows is not what is stored. */
  readonly forget: () => void;
};

/** What is remembered of the rows. The store is their only writer, so only a transaction that fails makes it wrong. */
type Known = {
  end?: number;
  attempts?: readonly AttemptRow[];
  ending?: {readonly state: TaskState | undefined};
  fenced?: number;
};

/** As much of the storage of a Durable Object as a log needs. */
export type LogSql = {
  exec<Row extends Record<string, ArrayBuffer | string | number | null>>(
    query: string,
    ...bindings: readonly (ArrayBuffer | string | number | null)[]
  ): {toArray(): Row[]};
};

export function logStore(sql: LogSql): LogStore {
  let known: Known = {};
  const knowing = (): Known => known;

  const endOf = (): number => (known.end ??= readEnd(sql));
  const rows = (): readonly AttemptRow[] =>
    (known.attempts ??= sql
      .exec<AttemptRow>('SELECT epoch, base, runner, sha256 FROM attempt ORDER BY epoch')
      .toArray());
  const attempts = (): readonly AttemptRange[] =>
    rows().map((row, index, all) => ({...row, length: (all[index + 1]?.base ?? endOf()) - row.base}));
  const changeAttempt = (query: string, ...bindings: readonly (string | number)[]): void => {
    sql.exec(query, ...bindings);
    delete known.attempts;
  };

  return {
    end: endOf,
    attempts,
    newest: () => attempts().at(-1),
    open: (epoch, runner) => {
      changeAttempt('INSERT INTO attempt (epoch, base, runner) VALUES (?, ?, ?)', epoch, endOf(), runner);
    },
    openEmpty: (epoch, runner) => {
      const base = attempts().find(later => later.epoch > epoch)?.base ?? endOf();
      changeAttempt(
        'INSERT INTO attempt (epoch, base, runner) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        epoch,
        base,
        runner,
      );
    },
    append: ({start, rawBytes, isGzip, bytes, atMs}) => {
      sql.exec(
        'INSERT INTO chunk (start, raw_bytes, is_gzip, bytes, at_ms) VALUES (?, ?, ?, ?, ?)',
        start,
        rawBytes,
        isGzip ? 1 : 0,
        // The driver takes whole buffers; a payload is a view. A Buffer's own `slice` would be another view.
        new Uint8Array(bytes).buffer,
        atMs,
      );
      known.end = start + rawBytes;
    },
    seal: (epoch, sha256) => {
      changeAttempt('UPDATE attempt SET sha256 = ? WHERE epoch = ?', sha256, epoch);
    },
    chunkAt: offset => {
      const [row] = sql
        .exec<ChunkRow>(
          'SELECT start, raw_bytes, is_gzip, bytes, at_ms FROM chunk WHERE start <= ? ORDER BY start DESC LIMIT 1',
          offset,
        )
        .toArray();
      if (row === undefined || offset >= row.start + row.raw_bytes) return undefined;
      return {
        start: row.start,
        rawBytes: row.raw_bytes,
        isGzip: row.is_gzip === 1,
        bytes: new Uint8Array(row.bytes),
        atMs: row.at_ms,
      };
    },
    ...endingsOf(sql, knowing),
    ...fenceOf(sql, knowing),
    forget: () => {
      known = {};
    },
  };
}

function readEnd(sql: LogSql): number {
  const [row] = sql
    .exec<{stop: number}>('SELECT start + raw_bytes AS stop FROM chunk ORDER BY start DESC LIMIT 1')
    .toArray();
  return row?.stop ?? 0;
}

function endingsOf(
  sql: LogSql,
  known: () => Known,
): Pick<LogStore, 'ending' | 'finish' | 'attemptEnding' | 'finishAttempt'> {
  const readEnding = (): TaskState | undefined => {
    const [row] = sql.exec<{state: string}>('SELECT state FROM ending').toArray();
    return row === undefined ? undefined : taskStateSchema.parse(row.state);
  };
  return {
    ending: () => (known().ending ??= {state: readEnding()}).state,
    finish: state => {
      sql.exec('INSERT INTO ending (id, state) VALUES (1, ?) ON CONFLICT (id) DO NOTHING', state);
      delete known().ending;
    },
    attemptEnding: epoch => {
      const [row] = sql.exec<{state: string}>('SELECT state FROM attempt_ending WHERE epoch = ?', epoch).toArray();
      return row === undefined ? undefined : attemptEndSchema.parse(row.state);
    },
    finishAttempt: (epoch, state) => {
      sql.exec('INSERT INTO attempt_ending (epoch, state) VALUES (?, ?) ON CONFLICT (epoch) DO NOTHING', epoch, state);
    },
  };
}

function fenceOf(sql: LogSql, known: () => Known): Pick<LogStore, 'fenced' | 'fence'> {
  const fenced = (): number =>
    (known().fenced ??= sql.exec<{epoch: number}>('SELECT epoch FROM fence').toArray()[0]?.epoch ?? 0);
  return {
    fenced,
    fence: epoch => {
      const highest = Math.max(fenced(), epoch);
      sql.exec('INSERT INTO fence (id, epoch) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET epoch = ?1', highest);
      known().fenced = highest;
    },
  };
}

/** Throws when the bytes are not one gzip member, or hold more than a chunk may. */
export function rawBytesOf({isGzip, bytes}: Pick<StoredChunk, 'isGzip' | 'bytes'>): Uint8Array {
  return isGzip ? contentOfMember(bytes, logPayloadBytesMax) : bytes;
}

/** The raw bytes from an offset on, within one chunk. */
export function rawBytesFrom(chunk: StoredChunk, offset: number): Uint8Array {
  return rawBytesOf(chunk).subarray(offset - chunk.start);
}
