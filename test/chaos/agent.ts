import {spawn} from 'node:child_process';
import {appendFileSync, readFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {streamsOf, type Streams} from './byte-stream.ts';
import type {AgentPlan} from './load-plan.ts';
import {startOf} from './processes.ts';
import type {WitnessLine} from './witness.ts';

/**
 * The agent under chaos: `node agent.ts <witness folder> <plan as JSON>`. It writes streams that its plan fixes to the
 * byte, over a time, and all along appends to the witness file of its task that it lives.
 */
const [witnessFolder = '', planText = '{}'] = process.argv.slice(2);
const plan = JSON.parse(planText) as AgentPlan;
const {SWITCHYARD_TASK: task = '', SWITCHYARD_EPOCH: epoch = '0', HOME: home = ''} = process.env;
const witnessPath = join(witnessFolder, task);
const pid = `${process.pid}/${startOf(process.pid) ?? ''}`;
const beatMs = 100;

function witness(line: Omit<WitnessLine, 'at' | 'key' | 'epoch' | 'pid'>): void {
  const whole: WitnessLine = {at: Date.now(), key: plan.key, epoch: Number(epoch), pid, ...line};
  appendFileSync(witnessPath, `${JSON.stringify(whole)}\n`);
}

/** Agents of this task that have not said their end and are alive all the same. */
function othersAlive(): string[] {
  // What stands behind the last line end is being written.
  const texts = readFileSync(witnessPath, 'utf8').split('\n').slice(0, -1);
  const lines = texts.map(text => JSON.parse(text) as WitnessLine);
  const ended = new Set(lines.filter(({event}) => event === 'end').map(each => each.pid));
  return [...new Set(lines.map(each => each.pid))].filter(other => {
    const [id = '', start] = other.split('/');
    return other !== pid && !ended.has(other) && startOf(Number(id)) === start;
  });
}

/** A descendant in a session of its own, which only the end of its whole tree can end. */
function fork(): void {
  const line = JSON.stringify({at: 0, key: plan.key, epoch: Number(epoch), pid, event: 'child'});
  const script = `while :; do printf '%s\\n' "$1" >>"$2"; sleep 0.1; done`;
  spawn('/bin/sh', ['-c', script, 'sh', line, witnessPath], {detached: true, stdio: 'ignore'}).unref();
}

/** Writes up to `upTo`, as much as the disk takes; a full disk is tried again with the next beat. */
function write(fd: 1 | 2, bytes: Buffer, {from, upTo}: {from: number; upTo: number}): number {
  let at = from;
  try {
    while (at < upTo) at += writeSync(fd, bytes, at, upTo - at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  return at;
}

const due = (bytes: Buffer, share: number): number => Math.min(bytes.length, Math.ceil(bytes.length * share));

const written = {out: 0, err: 0};

async function speak({out, err}: Streams): Promise<void> {
  const begun = performance.now();
  while (written.out < out.length || written.err < err.length || performance.now() - begun < plan.ms) {
    const share = plan.ms === 0 ? 1 : Math.min(1, (performance.now() - begun) / plan.ms);
    written.out = write(1, out, {from: written.out, upTo: due(out, share)});
    written.err = write(2, err, {from: written.err, upTo: due(err, share)});
    witness({event: 'beat', ...written});
    await delay(beatMs);
  }
}

witness({event: 'start', home});
for (const saw of othersAlive()) witness({event: 'saw', saw});
process.on('SIGTERM', () => {
  if (plan.ignoresStop) return;
  witness({event: 'end', ...written});
  process.exit(143);
});
if (plan.forks) fork();
if (plan.changes) appendFileSync('CHAOS.md', `${plan.key}\n`);
await speak(streamsOf(plan.stream));
witness({event: 'end', ...written, code: plan.exitCode});
process.exitCode = plan.exitCode;
