import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {runChaos} from './chaos-run.ts';
import {parseOptions, usage} from './options.ts';
import {reportJson, reportText} from './report.ts';

/** `npm run chaos`: 0 when every promise held, 1 when one was broken, 2 when there was no run. */
async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), () => Math.random().toString(36).slice(2, 10));
  if (options === 'help') {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (process.platform !== 'linux') throw new Error('chaos reads /proc: it needs Linux');
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-chaos-'));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(`seed ${options.seed}; evidence goes to ${folder}`);
  const report = await runChaos({options, folder, say});
  if (!options.isJson) process.stdout.write(`${reportText(report)}\n`);
  process.stdout.write(`${reportJson(report)}\n`);
  if (report.violations.length > 0) return 1;
  rmSync(folder, {recursive: true});
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(2);
}
