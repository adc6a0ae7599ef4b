import type {Command} from 'commander';
import {gitCredentials, scopeOf, type GitCredentials} from '../secrets/git-credentials.ts';
import {KeyStore} from '../secrets/key-store.ts';
import {group, leaf, text} from './leaf.ts';
import {secretInput} from './secret-input.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {table} from './table.ts';

type World = Pick<Surroundings, 'terminal' | 'settings' | 'env' | 'askSecret' | 'readInput' | 'nowMs' | 'randomHex'>;

/** Forges take any name beside a token. */
const USUAL_NAME = 'x-access-token';

/** Credentials of this runner for git over https: only its own git is given them, each time that it asks. */
export function gitKeyCommands(world: World): Command {
  const {terminal} = world;
  return group('git', 'credentials of this machine for private repositories', [
    leaf(
      {
        name: 'set <url>',
        summary: 'store the token for a host, an owner or one repository; read from standard input',
        examples: [
          'keys git set https://github.com/acme',
          '$ pass show git | switchyard keys git set https://git.acme.com',
        ],
        configure: command => command.option('--user <name>', 'the name that goes with the token', USUAL_NAME),
      },
      async ([url], options) => {
        const scope = scopeOf(url ?? '');
        const username = text(options, 'user') ?? USUAL_NAME;
        const secret = await secretInput(world, `Token for ${scope}: `);
        await (await openCredentials(world, options)).set({scope, username}, secret);
        if (options.json === true) terminal.out(JSON.stringify({scope, username}));
        else terminal.out(`${scope}: stored; git of this runner is given it from now on`);
      },
    ),
    leaf(
      {
        name: 'list',
        summary: 'which addresses have a credential on this machine; tokens are never shown',
        examples: ['keys git list', 'keys git list --json'],
      },
      async (_, options) => {
        const logins = await (await openCredentials(world, options)).list();
        if (options.json === true) return terminal.out(JSON.stringify({credentials: logins}));
        if (logins.length === 0)
          terminal.err('None: git of this runner uses what your own git has, if its policy lets it.');
        const cells = logins.map(({scope, username}) => [scope, username]);
        if (cells.length > 0)
          for (const line of table(['ADDRESS', 'USER'], cells, terminal.columns)) terminal.out(line);
      },
    ),
    leaf(
      {
        name: 'delete <url>',
        summary: 'forget a credential; fetches and pushes that run keep it',
        examples: ['keys git delete https://github.com/acme', 'keys git delete https://git.acme.com --json'],
      },
      async ([url], options) => {
        const scope = scopeOf(url ?? '');
        const deleted = await (await openCredentials(world, options)).delete(scope);
        if (options.json === true) terminal.out(JSON.stringify({scope, deleted}));
        else terminal.out(deleted ? `${scope}: deleted` : `${scope}: there was none`);
      },
    ),
  ]);
}

async function openCredentials(
  {settings, env, nowMs, randomHex}: World,
  options: CommonOptions,
): Promise<GitCredentials> {
  const {runnerDirectory: directory} = (await settings(options)).layout;
  return gitCredentials(new KeyStore({directory, env, platform: process.platform, nowMs, randomHex}), directory);
}
