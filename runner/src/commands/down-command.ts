import {createReadStream} from 'node:fs';
import {readFile, stat} from 'node:fs/promises';
import {setTimeout as wait} from 'node:timers/promises';
import type {Command} from 'commander';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {isAlive} from '../executor/process-identity.ts';
import {checkComponents} from '../services/component-check.ts';
import {endAttempts} from '../services/end-attempts.ts';
import {reapLeftovers} from '../services/leftovers.ts';
import {readStateFile, removeFile} from '../services/private-file.ts';
import {signalPid} from '../services/process-group.ts';
import {logPath} from '../services/service-log.ts';
import {runningUp} from '../services/up-file.ts';
import {untilInterrupted} from './interrupt.ts';
import {flag, leaf, text} from './leaf.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {duration, parseCount} from './units.ts';

const stopMsMax = 60_000;
const pollMs = 100;
const reapDrainMs = 5_000;

export function downCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'down',
      summary: 'stop what switchyard up started',
      aliases: ['stop'],
      examples: ['down', 'down --state /var/lib/switchyard'],
    },
    async (_, options) => {
      const {terminal} = world;
      const {layout} = await world.settings(options);
      const machine = world.machine();
      const up = await runningUp(layout.upFile, machine);
      if (up !== undefined) {
        const progress = terminal.progress(`Stopping process ${up.pid}`);
        signalPid(up.pid, 'SIGTERM');
        for (let waitedMs = 0; isAlive(up, machine) && waitedMs < stopMsMax; waitedMs += pollMs) await wait(pollMs);
        if (isAlive(up, machine)) signalPid(up.pid, 'SIGKILL');
        progress.end();
      }
      const reaped = await reapLeftovers(layout.servicesDirectory, machine, reapDrainMs);
      if (up !== undefined || reaped.length > 0) await endAttempts(layout.runnerDirectory, machine);
      await removeFile(layout.upFile);
      const wasRunning = up !== undefined || reaped.length > 0;
      if (options.json === true) terminal.out(JSON.stringify({was_running: wasRunning, reaped}));
      else terminal.err(wasRunning ? 'Stopped; tasks are kept' : `Nothing runs from ${layout.root}`);
    },
  );
}

const statusSchema = z.object({
  services: z.array(
    z.object({
      name: z.string(),
      pid: z.int().nullable(),
      state: z.string(),
      restarts: z.int(),
      next_try_ms: z.int().nullable(),
    }),
  ),
});

export function statusCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'status',
      summary: 'what runs on this machine; exit 1 when nothing does',
      examples: ['status', 'status --json | jq .services'],
    },
    async (_, options) => {
      const {terminal} = world;
      const {layout} = await world.settings(options);
      const up = await runningUp(layout.upFile, world.machine());
      if (up === undefined) throw new SwitchyardError('not_running', `nothing runs from ${layout.root}`);
      const read = statusSchema.safeParse(parseJson((await readStateFile(layout.statusFile)) ?? ''));
      if (!read.success)
        throw new SwitchyardError(
          'state_corrupt',
          `${layout.statusFile} does not hold the state of the services: run switchyard down, then switchyard up`,
        );
      const checks = await checkComponents({layout, machine: world.machine(), url: up.url});
      const services = read.data.services.map(service => ({
        ...checks.find(({name}) => name === service.name),
        ...service,
      }));
      if (options.json === true) return terminal.out(JSON.stringify({...up, services}));
      terminal.out(`${up.url}  ${up.team}/${up.pool}  up ${duration(world.nowMs() - up.ready_ms)}`);
      const rows = services.map(({name, pid, state, restarts, trouble, last_output_ms: lastMs}) => [
        name,
        state,
        pid === null ? '-' : String(pid),
        String(restarts),
        typeof lastMs === 'number' ? `${duration(Math.max(0, world.nowMs() - lastMs))} ago` : '-',
        trouble === undefined ? '-' : (trouble ?? 'yes'),
      ]);
      const heads = ['SERVICE', 'STATE', 'PID', 'RESTARTS', 'OUTPUT', 'ANSWERS'];
      for (const line of table(heads, rows, terminal.columns)) terminal.out(line);
    },
  );
}

const services = ['control-plane', 'runner'] as const;

export function serviceLogsCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'logs',
      summary: 'logs of the control plane and the runner of this machine',
      examples: ['logs', 'logs -f', 'logs --lines 500'],
      configure: command =>
        command.option('-f, --follow', 'go on with what is written').option('--lines <n>', 'last lines of each', '50'),
    },
    async (_, options) => {
      const {layout} = await world.settings(options);
      const lines = parseCount('--lines', text(options, 'lines') ?? '50', [0, 10_000]);
      const say = printer(world, options);
      const ends = new Map<string, number>();
      for (const service of services) {
        const content = await readFile(logPath(layout.logDirectory, service)).catch(() => Buffer.alloc(0));
        ends.set(service, content.length);
        const last = content.toString('utf8').trimEnd().split('\n').slice(-lines);
        if (lines > 0 && content.length > 0) for (const line of last) say(service, line);
      }
      if ([...ends.values()].every(end => end === 0))
        world.terminal.err(`nothing was logged so far under ${layout.logDirectory}`);
      if (!flag(options, 'follow')) return;
      return untilInterrupted(async signal => {
        for (;;) {
          for (const service of services) {
            const from = ends.get(service) ?? 0;
            ends.set(service, await printFrom(say, {service, path: logPath(layout.logDirectory, service), from}));
          }
          await wait(pollMs * 3, undefined, {signal});
        }
      });
    },
  );
}

type Say = (service: string, line: string) => void;
type Tail = {readonly service: string; readonly path: string; readonly from: number};

/** Prints what was appended and answers the new end; a file that became shorter was replaced. */
async function printFrom(say: Say, {service, path, from}: Tail): Promise<number> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  const start = size < from ? 0 : from;
  if (size === start) return start;
  const parts: Buffer[] = [];
  for await (const part of createReadStream(path, {start, end: size - 1})) parts.push(Buffer.from(part));
  const whole = Buffer.concat(parts);
  const end = whole.lastIndexOf(0x0a) + 1;
  for (const line of whole.subarray(0, end).toString('utf8').split('\n').slice(0, -1)) say(service, line);
  return start + end;
}

function printer({terminal}: Surroundings, {json}: CommonOptions): Say {
  if (json === true) return (service, line) => terminal.out(JSON.stringify({service, line}));
  return (service, line) =>
    terminal.out(`${terminal.paint(service === 'runner' ? 'cyan' : 'dim', service.padEnd(13))} ${line}`);
}
