import * as z from 'zod';
import type {Addressed} from './batch.ts';
import type {Draft} from './draft.ts';
import type {Memory} from './memory.ts';
import type {Sql} from './sql.ts';

/** Connections of runners that poll are named so; the rest are sockets. */
export function pollConnection(session: string): string {
  return `poll:${session}`;
}

export function isPolling(connection: string): boolean {
  return connection.startsWith('poll:');
}

/** Keeps what is for runners that poll until they fetch it; part of the transaction that decided it. */
export function mail(sql: Sql, memory: Memory, drafts: readonly Addressed[]): void {
  for (const {runner, connection, draft} of drafts.filter(each => isPolling(each.connection))) {
    if (memory.runners.get(runner)?.row.connection !== connection) continue;
    memory.mailboxSeq += 1;
    sql.run(
      'INSERT INTO mailbox (runner, seq, draft) VALUES (?, ?, ?)',
      runner,
      memory.mailboxSeq,
      JSON.stringify(draft),
    );
  }
}

export type Mail = {readonly drafts: readonly Draft[]; readonly upTo: number};

const mailRowsMax = 256;
const mailCharactersMax = 900_000;
/** A signed offer is about this long at most; the rest of the mail is as long as its text. */
const offerCharacters = 400_000;

const draftColumn = z.looseObject({t: z.string()});

/** The oldest mail of a runner, as much as one frame takes; `undefined` when there is none. */
export function oldestMail(sql: Sql, runner: string): Mail | undefined {
  const rows = sql.all<{seq: number; draft: string}>(
    'SELECT seq, draft FROM mailbox WHERE runner = ? ORDER BY seq LIMIT ?',
    runner,
    mailRowsMax,
  );
  const drafts: Draft[] = [];
  let upTo = 0;
  let characters = 0;
  for (const {seq, draft: text} of rows) {
    const draft = draftFrom(text);
    characters += draft.t === 'offer' ? offerCharacters : text.length;
    if (drafts.length > 0 && characters > mailCharactersMax) break;
    drafts.push(draft);
    upTo = seq;
  }
  return drafts.length === 0 ? undefined : {drafts, upTo};
}

function draftFrom(text: string): Draft {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Fleet wrote this text from a Draft
  return draftColumn.parse(JSON.parse(text)) as Draft;
}

export function forgetMail(sql: Sql, runner: string, upTo: number): void {
  sql.run('DELETE FROM mailbox WHERE runner = ? AND seq <= ?', runner, upTo);
}
