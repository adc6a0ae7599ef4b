import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {WebSocketServer, type WebSocket} from 'ws';
import {temporaryTree} from '../temporary.ts';

/**
 * The least that a durable queue with push can be on this platform: one Node process, one SQLite file, no login, no
 * schema, no lease. What arrives in one turn of the event loop shares one commit; answers and pushes come after it.
 */
const folder = temporaryTree('bench-floor-');
const database = new DatabaseSync(join(folder.path, 'queue.sqlite'));
const synchronous = process.env['BENCH_SYNCHRONOUS'] === 'normal' ? 'NORMAL' : 'FULL';
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};`);
database.exec('CREATE TABLE task (id INTEGER PRIMARY KEY, payload TEXT NOT NULL, state INTEGER NOT NULL)');
database.exec('CREATE INDEX queued ON task (id) WHERE state = 0');
const insert = database.prepare('INSERT INTO task (id, payload, state) VALUES (?, ?, 0)');
const take = database.prepare(
  'UPDATE task SET state = 1 WHERE id IN (SELECT id FROM task WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, payload',
);
const finish = database.prepare('UPDATE task SET state = 2 WHERE id = ?');

type Row = {readonly id: number; readonly payload: string};

let worker: WebSocket | undefined;
let credit = 0;
let lastId = 0;
let isPaused = false;
let adds: {readonly payloads: readonly string[]; readonly response: ServerResponse}[] = [];
let ends: number[] = [];
let isArmed = false;

function arm(): void {
  if (isArmed) return;
  isArmed = true;
  setImmediate(commit);
}

function commit(): void {
  isArmed = false;
  const [adding, ending] = [adds, ends];
  [adds, ends] = [[], []];
  database.exec('BEGIN');
  const answers = adding.map(({payloads, response}) => {
    const ids = payloads.map(text => {
      lastId += 1;
      insert.run(lastId, text);
      return lastId;
    });
    return {ids, response};
  });
  for (const id of ending) finish.run(id);
  credit += ending.length;
  const offers = isPaused || credit === 0 ? [] : (take.all(credit) as Row[]);
  credit -= offers.length;
  database.exec('COMMIT');
  for (const {ids, response} of answers) response.end(JSON.stringify(ids));
  if (offers.length > 0 || ending.length > 0) worker?.send(JSON.stringify({offers, acks: ending}));
}

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  if (request.url === '/tasks') {
    adds.push({payloads: JSON.parse(text) as string[], response});
  } else {
    isPaused = request.url === '/pause';
    response.end();
  }
  arm();
}

const server = createServer((request, response) => void route(request, response));
new WebSocketServer({server, perMessageDeflate: false}).on('connection', socket => {
  worker = socket;
  credit = 64;
  socket.on('message', (data: Buffer) => {
    ends.push(...(JSON.parse(data.toString()) as number[]));
    arm();
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
});
process.on('disconnect', () => process.exit(0));
