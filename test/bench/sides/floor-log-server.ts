import {createServer} from 'node:http';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {WebSocketServer, type WebSocket} from 'ws';
import {temporaryTree} from '../temporary.ts';

/**
 * The least that a log server can be: takes batches on one socket and shows them on others. Stored, what arrives in one
 * turn of the event loop shares one synced commit, and is acknowledged and shown after it; else it is passed on at once.
 */
const isStored = process.env['BENCH_STORED'] === '1';
const folder = temporaryTree('bench-floor-log-');
const database = new DatabaseSync(join(folder.path, 'log.sqlite'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec('CREATE TABLE chunk (log INTEGER, start INTEGER, bytes BLOB, PRIMARY KEY (log, start)) WITHOUT ROWID');
const insert = database.prepare('INSERT INTO chunk (log, start, bytes) VALUES (?, ?, ?)');

type Log = {readonly id: number; readonly readers: Set<WebSocket>; length: number};
type Arrival = {readonly log: Log; readonly writer: WebSocket; readonly bytes: Buffer};

const logs = new Map<string, Log>();
let inbox: Arrival[] = [];

function logOf(name: string): Log {
  const log = logs.get(name) ?? {id: logs.size, readers: new Set<WebSocket>(), length: 0};
  logs.set(name, log);
  return log;
}

function commit(): void {
  const arrivals = inbox;
  inbox = [];
  if (isStored) database.exec('BEGIN');
  const ends = new Map<WebSocket, number>();
  for (const {log, writer, bytes} of arrivals) {
    if (isStored) insert.run(log.id, log.length, bytes);
    log.length += bytes.length;
    ends.set(writer, log.length);
  }
  if (isStored) database.exec('COMMIT');
  for (const [writer, length] of ends) writer.send(String(length));
  for (const {log, bytes} of arrivals) for (const reader of log.readers) reader.send(bytes);
}

const server = createServer();
new WebSocketServer({server, perMessageDeflate: false}).on('connection', (socket, request) => {
  const [, role, name = ''] = (request.url ?? '').split('/');
  const log = logOf(name);
  if (role === 'read') {
    log.readers.add(socket);
    socket.on('close', () => log.readers.delete(socket));
    return;
  }
  socket.on('message', (bytes: Buffer) => {
    inbox.push({log, writer: socket, bytes});
    if (inbox.length === 1) setImmediate(commit);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
});
process.on('disconnect', () => process.exit(0));
