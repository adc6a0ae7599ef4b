import type {Command} from 'commander';
import type * as z from 'zod';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {changePool, createPool, getPool, type PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import {listQueues} from '@switchyard/shared/api/queue-contracts.ts';
import {fromBase64, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {credentialMint} from '@switchyard/shared/crypto/credential.ts';
import {poolSchema} from '@switchyard/shared/domain/id.ts';
import {checkControlPlaneUrl} from '../link/enrol.ts';
import {flag, group, leaf, text} from './leaf.ts';
import {ownCommand} from './own-command.ts';
import {poolLines, queueLines} from './pool-lines.ts';
import {secretInput} from './secret-input.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {parseCount} from './units.ts';
import {UsageError} from './usage-error.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;
type PoolChange = z.input<NonNullable<typeof changePool.body>>;

const concurrencyMax = 10_000;
const secretBytesMin = 32;

export function poolCommands(world: Surroundings): Command {
  return group('pool', 'the queue and its settings', [
    leaf(
      {
        name: 'show',
        summary: 'settings, tasks by state and capacity',
        examples: ['pool show', 'pool show --json | jq .counts.queued'],
      },
      async (_, options) => show(world, options, await (await world.client(options)).call(getPool, {})),
    ),
    leaf(
      {
        name: 'queues',
        summary: 'what waits, by the topic of its queue',
        examples: ['pool queues', 'pool queues --json | jq .queues[0].waiting'],
      },
      async (_, options) => {
        const {queues} = await (await world.client(options)).call(listQueues, {});
        if (options.json === true) return world.terminal.out(JSON.stringify({queues}));
        for (const line of queueLines(queues, world.nowMs(), world.terminal)) world.terminal.out(line);
      },
    ),
    change(world, {
      name: 'pause',
      summary: 'offer no more tasks; what runs goes on',
      examples: ['pool pause', 'pool pause --json'],
      body: () => ({paused: true}),
    }),
    change(world, {
      name: 'resume',
      summary: 'offer tasks again, after a pause, a shutdown or a failure that stopped the pool',
      examples: ['pool resume', 'pool resume --json'],
      body: () => ({paused: false, draining: false, latched: false}),
    }),
    change(world, {
      name: 'set',
      summary: 'change settings of the pool',
      examples: ['pool set --max-concurrent 8', 'pool set --max-concurrent none --stop-on-failure'],
      configure: command =>
        command
          .option('--max-concurrent <n>', 'most attempts at once; none is as many as the runners hold')
          .option('--stop-on-failure', 'stop offering when a task fails for good, until pool resume')
          .option('--no-stop-on-failure', 'go on whatever fails'),
      body: settingsOf,
    }),
    create(world),
  ]);
}

type ChangeSpec = {
  readonly name: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly configure?: (command: Command) => Command;
  readonly body: (options: Options) => PoolChange;
};

function change(world: Surroundings, {body, ...spec}: ChangeSpec): Command {
  return leaf(spec, async (_, options) => {
    const wanted = body(options);
    show(world, options, await (await world.client(options)).call(changePool, {body: wanted}));
  });
}

function settingsOf(options: Options): PoolChange {
  const most = text(options, 'maxConcurrent');
  const stop = options['stopOnFailure'];
  if (most === undefined && typeof stop !== 'boolean')
    throw new UsageError('name a setting: --max-concurrent or --stop-on-failure');
  return {
    ...(most === undefined
      ? {}
      : {max_concurrent: most === 'none' ? null : parseCount('--max-concurrent', most, [1, concurrencyMax])}),
    ...(typeof stop === 'boolean' ? {stop_on_failure: stop} : {}),
  };
}

function show({terminal}: Surroundings, {json}: CommonOptions, pool: PoolView): void {
  if (json === true) return terminal.out(JSON.stringify(pool));
  for (const line of poolLines(pool, terminal)) terminal.out(line);
}

/**
 * The first token of a deployed installation. Its secret goes no further than this process: what is sent is the root
 * token, and only to the URL that was named.
 */
function create(world: Surroundings): Command {
  return leaf(
    {
      name: 'create',
      summary: 'make a pool and its first admin token; SWITCHYARD_SECRET is read from standard input or asked for',
      examples: [
        'pool create --url https://switchyard.example.com --team acme --pool default < secret.txt > token.txt',
        'login --url https://switchyard.example.com < token.txt',
      ],
      configure: command =>
        command
          .requiredOption('--team <name>', 'whose pool it is; made when it is new')
          .requiredOption('--pool <name>', 'a known one gets another admin token')
          .option('--token-name <name>', 'how the token is listed (admin)')
          .option('--allow-insecure', 'also over http to another machine'),
    },
    async (_, options) => {
      const url = options.url;
      if (url === undefined) throw new UsageError('--url is needed: a root token is sent to no other place');
      checkControlPlaneUrl(url, {allowInsecure: flag(options, 'allowInsecure')});
      const team = nameOf(options, 'team');
      const pool = nameOf(options, 'pool');
      const tokenName = text(options, 'tokenName');
      const secret = bytesOf(await secretInput(world, `SWITCHYARD_SECRET of ${url}: `, 'secret'));
      const root = apiClient({url, token: await (await credentialMint(secret)).rootToken()});
      const made = await root.call(createPool, {
        body: {team, pool, ...(tokenName === undefined ? {} : {token_name: tokenName})},
      });
      world.terminal.out(options.json === true ? JSON.stringify(made) : made.token);
      if (options.json !== true)
        world.terminal.err(
          `admin token of pool ${made.pool} of team ${made.team}, shown once: ${ownCommand(world)(`login --url ${url}`)} keeps it`,
        );
    },
  );
}

function nameOf(options: Options, option: 'team' | 'pool'): string {
  const parsed = poolSchema.safeParse(text(options, option));
  if (!parsed.success) throw new UsageError(`--${option}: ${parsed.error.issues[0]?.message ?? 'not a name'}`);
  return parsed.data;
}

function bytesOf(secret: string): Bytes {
  const bytes = fromBase64(secret);
  if (bytes === undefined || bytes.length < secretBytesMin)
    throw new UsageError(`the secret is not ${secretBytesMin} bytes or more in base64: openssl rand -base64 32`);
  return bytes;
}
