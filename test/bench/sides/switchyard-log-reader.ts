import {once} from 'node:events';
import {gunzipSync} from 'node:zlib';
import {WebSocket} from 'ws';
import {decodeLogFrame} from '@switchyard/shared/protocol/log-frame.ts';
import {LOG_VIEW_SUBPROTOCOL, logViewWindowBytes} from '@switchyard/shared/protocol/log-view.ts';
import {serveReader} from '../reader.ts';

/** A viewer over the WebSocket of the API: inflates what comes, and acknowledges each quarter of its window. */
const url = (process.env['BENCH_URL'] ?? '').replace(/^http/, 'ws');
const acknowledgedBytes = logViewWindowBytes / 4;
const headers = {authorization: `Bearer ${process.env['BENCH_TOKEN'] ?? ''}`};

serveReader(async (task, onBytes) => {
  const socket = new WebSocket(`${url}/v1/tasks/${task}/log/live`, LOG_VIEW_SUBPROTOCOL, {
    headers,
    perMessageDeflate: false,
  });
  let received = 0;
  let acknowledged = 0;
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) return;
    const decoded = decodeLogFrame(data);
    if (!decoded.ok) throw new Error(`a frame was refused: ${decoded.refused}`);
    const {isGzip, payload} = decoded.frame;
    const bytes = isGzip ? gunzipSync(payload) : payload;
    received += bytes.length;
    onBytes(bytes);
    if (received - acknowledged < acknowledgedBytes) return;
    acknowledged = received;
    socket.send(JSON.stringify({t: 'ack', to: received}));
  });
  await once(socket, 'open');
  return () => socket.close(1000);
});
