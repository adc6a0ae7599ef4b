import {hostname} from 'node:os';
import {resolve} from 'node:path';
import type {Command} from 'commander';
import {
  createEnrolment,
  drainRunner,
  listRunners,
  resumeRunner,
  revokeRunner,
  type RunnerView,
} from '@switchyard/shared/api/runner-contracts.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {labelSchema} from '@switchyard/shared/domain/task-spec.ts';
import {charterInForce} from '../agent/machine-charter.ts';
import {proxyStatus} from '../agent/proxy/proxy-status.ts';
import {enrol as enrolMachine} from '../link/enrol.ts';
import type {RunnerOptions} from '../runner.ts';
import {rotateRunnerKeyHere} from '../secrets/key-rotation.ts';
import {readRunnerIdentity} from '../services/runner-identity.ts';
import {flag, group, leaf, text, texts} from './leaf.ts';
import {proxyLine} from './proxy-line.ts';
import {ownCommand} from './own-command.ts';
import {secretInput} from './secret-input.ts';
import {serviceCommands} from './service-commands.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {duration} from './units.ts';
import {untilStopped} from './until-stopped.ts';
import {UsageError} from './usage-error.ts';
import {versionOf} from './version-command.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;

export function runnerCommands(world: Surroundings): Command {
  const {terminal} = world;
  const change = (verb: 'drain' | 'resume' | 'revoke', summary: string): Command =>
    leaf(
      {
        name: `${verb} [runner]`,
        summary: `${summary}; this machine's when none is named`,
        examples: [`runner ${verb}`, `runner ${verb} rnr_… --json`],
      },
      async ([id], options) => {
        const contract = {drain: drainRunner, resume: resumeRunner, revoke: revokeRunner}[verb];
        const runner = await runnerId(world, options, id);
        const view = await (await world.client(options)).call(contract, {params: {runner}});
        terminal.out(options.json === true ? JSON.stringify(view) : `${view.id} is ${view.state}`);
      },
    );
  return group('runner', 'this machine as a runner, and the runners of the pool', [
    enrol(world),
    token(world),
    start(world),
    status(world),
    rotateKey(world),
    change('drain', 'offer a runner no more tasks; what it holds goes on'),
    change('resume', 'end a drain'),
    change('revoke', 'refuse a runner for ever and fence what it holds'),
    serviceCommands(world),
  ]);
}

function token(world: Surroundings): Command {
  return leaf(
    {
      name: 'token',
      summary: 'make an enrolment token: for one machine, good for ten minutes',
      examples: ['runner token', 'runner token --label gpu=yes | ssh builder switchyard runner enrol --url https://…'],
      configure: command => command.option('--label <label>', 'the runner must carry it; repeatable', collect),
    },
    async (_, options) => {
      const labels = [...labelsOf(options)];
      const client = await world.client(options);
      const made = await client.call(createEnrolment, {body: {labels}});
      world.terminal.out(options.json === true ? JSON.stringify(made) : made.token);
      if (options.json !== true)
        world.terminal.err(`good for ${duration(made.expires_ms - world.nowMs())}, shown once`);
    },
  );
}

function enrol(world: Surroundings): Command {
  return leaf(
    {
      name: 'enrol',
      summary: 'make this machine a runner; the token is read from standard input or asked for',
      examples: [
        'runner enrol --url https://switchyard.example.com',
        'runner enrol --url https://… --label os=macos < token.txt',
      ],
      configure: command =>
        command
          .option('--name <name>', 'how people know this machine; its host name when absent')
          .option('--label <label>', 'what it offers; repeatable', collect)
          .option('--replace', 'give up the identity that is there')
          .option('--allow-insecure', 'also over http to another machine'),
    },
    async (_, options) => {
      const {layout, url, state} = await world.settings(options);
      const identity = await enrolMachine({
        url: url.value,
        token: await secretInput(world, 'Enrolment token: '),
        name: text(options, 'name') ?? hostname(),
        labels: labelsOf(options),
        runnerDirectory: layout.runnerDirectory,
        replace: flag(options, 'replace'),
        allowInsecure: flag(options, 'allowInsecure'),
      });
      const {runner, pool, name} = identity;
      if (options.json === true) return world.terminal.out(JSON.stringify({runner, pool, name}));
      world.terminal.out(`${runner} belongs to pool ${pool}`);
      const own = ownCommand(world, state);
      world.terminal.out(`  ${own('runner start')}  runs it here`);
      world.terminal.out(`  ${own('runner service install')}  runs it from every login on`);
    },
  );
}

function rotateKey(world: Surroundings): Command {
  return leaf(
    {
      name: 'rotate-key',
      summary: 'give the runner of this machine a new key; the old one is good for one more day',
      examples: ['runner rotate-key', 'runner rotate-key --json'],
    },
    async (_, options) => {
      const {terminal, nowMs, randomHex} = world;
      const {layout} = await world.settings(options);
      const ambient = {wallMs: nowMs, randomId: () => randomHex(12)};
      const {runner, oldUntilMs} = await rotateRunnerKeyHere(layout.runnerDirectory, ambient);
      if (options.json === true) return terminal.out(JSON.stringify({runner, old_until_ms: oldUntilMs}));
      terminal.out(`${runner} has a new key; the old one is good for ${duration(Math.max(0, oldUntilMs - nowMs()))}`);
    },
  );
}

function start(world: Surroundings): Command {
  return leaf(
    {
      name: 'start',
      summary: 'run the runner of this machine in the foreground',
      examples: ['runner start', 'runner start --slots 8 --label gpu=yes'],
      configure: command =>
        command
          .option('--slots <n>', 'tasks at once (SWITCHYARD_SLOTS, at most 4)')
          .option('--label <label>', 'beyond those of the enrolment; repeatable', collect)
          .option('--patient', 'long leases, for a machine that sleeps')
          .option('--charter <file>', 'hold agents to this charter and no other')
          .option('--no-charter', 'start without any, also where one is broken')
          .option('--accept-state-loss', 'start although the journal of before is gone')
          .option('--lifeline', 'end the agents and stop when standard input ends'),
    },
    async (_, options) => {
      const {terminal} = world;
      const {layout, slots} = await world.settings({...options, slots: text(options, 'slots')});
      const identity = await readRunnerIdentity(layout.runnerDirectory);
      if (identity === undefined)
        throw new SwitchyardError(
          'configuration_invalid',
          'this machine is not enrolled: run switchyard runner enrol first',
        );
      const {startRunner} = await import('../runner.ts');
      const labels = [...new Set([...identity.labels, ...labelsOf(options)])];
      const runner = await startRunner({
        stateDirectory: layout.runnerDirectory,
        slots: slots.value,
        labels,
        version: versionOf(world.repository),
        onLine: terminal.err,
        leaseClass: flag(options, 'patient') ? 'patient' : 'standard',
        charter: charterChoice(world, options),
        acceptStateLoss: flag(options, 'acceptStateLoss'),
      });
      terminal.out(
        options.json === true
          ? JSON.stringify({ready: true, runner: runner.id})
          : `${runner.id} runs with ${slots.value} slots`,
      );
      const cause = await untilStopped({lifeline: flag(options, 'lifeline'), finished: runner.finished});
      // A service manager that stops or updates the runner means the runner: its agents go on and are adopted again.
      if (cause !== 'finished') await runner.stop(cause === 'SIGTERM' ? 'leave-agents' : 'end-agents');
      return 0;
    },
  );
}

/** `--no-charter` is what the program that reads options makes of a charter that is false. */
function charterChoice({cwd}: Surroundings, options: Options): RunnerOptions['charter'] {
  if (options['charter'] === false) return 'none';
  const file = text(options, 'charter');
  return file === undefined ? undefined : {file: resolve(cwd, file)};
}

function status(world: Surroundings): Command {
  return leaf(
    {
      name: 'status',
      summary: 'the runners of the pool, and the model proxy of this machine',
      aliases: ['list', 'ls'],
      examples: ['runner status', 'runner status --json | jq .model_proxy'],
    },
    async (_, options) => {
      const {runners} = await (await world.client(options)).call(listRunners, {});
      const {layout} = await world.settings(options);
      const charter = await charterInForce(layout.runnerDirectory).read();
      const {runnerDirectory} = layout;
      const proxy = await proxyStatus({runnerDirectory, machine: world.machine()});
      if (options.json === true) return world.terminal.out(JSON.stringify({runners, charter, model_proxy: proxy}));
      const mine = (await readRunnerIdentity(layout.runnerDirectory))?.runner;
      const rows = runners.map(runner => rowOf(runner, {mine, nowMs: world.nowMs()}));
      if (rows.length === 0)
        return world.terminal.err('no runner is enrolled: switchyard runner token makes a token for one');
      const head = ['RUNNER', 'NAME', 'STATE', 'SLOTS', 'SEEN', 'LABELS'];
      for (const line of table(head, rows, world.terminal.columns)) world.terminal.out(line);
      if (proxy !== null) world.terminal.out(`model proxy here: ${proxyLine(proxy, world.nowMs())}`);
      if (charter !== undefined) world.terminal.out(`charter here: ${charter.path ?? 'none'}`);
    },
  );
}

function rowOf(runner: RunnerView, {mine, nowMs}: {mine: string | undefined; nowMs: number}): string[] {
  const {id, name, state, slots, held, seen_ms: seenMs, labels} = runner;
  const seen = seenMs === null ? 'never' : `${duration(Math.max(0, nowMs - seenMs))} ago`;
  return [id, id === mine ? `${name} (here)` : name, state, `${held}/${slots}`, seen, labels.join(' ')];
}

async function runnerId(world: Surroundings, options: Options, id: string | undefined): Promise<RunnerView['id']> {
  const mine =
    id === undefined ? (await readRunnerIdentity((await world.settings(options)).layout.runnerDirectory))?.runner : id;
  if (mine === undefined) throw new UsageError('name a runner: this machine is not enrolled');
  const parsed = runnerIdSchema.safeParse(mine);
  if (!parsed.success)
    throw new UsageError(`${JSON.stringify(mine)} is not the id of a runner: rnr_ and 26 characters`);
  return parsed.data;
}

/** A label that no task could ask for is a mistake. */
function labelsOf(options: Options): readonly string[] {
  const labels = texts(options, 'label');
  const odd = labels.find(label => !labelSchema.safeParse(label).success);
  if (odd === undefined) return labels;
  throw new UsageError(`--label is ${JSON.stringify(odd)}, expected a label such as os=linux`);
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
