import {closeSync, openSync, writeSync} from 'node:fs';
import {lineBytes, linesNow} from '../lines.ts';
import {nowUs} from '../measure.ts';

/** An agent that prints at an even rate into its output file, as a process that the shim started does. */
const file = openSync(process.env['BENCH_FILE'] ?? '', 'a');
const bytesPerSecond = Number(process.env['BENCH_BYTES_PER_SECOND']);
const everyMs = 1;

let written = 0;
const beganUs = nowUs();
const timer = setInterval(() => {
  const due = Math.floor((((nowUs() - beganUs) / 1_000_000) * bytesPerSecond) / lineBytes) - written;
  if (due <= 0) return;
  writeSync(file, linesNow(due));
  written += due;
}, everyMs);

process.send?.('ready');
process.on('message', () => {
  clearInterval(timer);
  closeSync(file);
  process.send?.(written);
});
process.on('disconnect', () => process.exit(0));
