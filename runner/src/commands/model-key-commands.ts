import type {Command} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {checkKey} from '../agent/proxy/key-check.ts';
import {isProviderName, providerNames, providers, type ProviderName} from '../agent/proxy/provider.ts';
import {fileVault} from '../secrets/key-vault.ts';
import {modelKeys, type ModelKeys} from '../secrets/model-keys.ts';
import {leaf, text, type Run} from './leaf.ts';
import {secretInput} from './secret-input.ts';
import type {CommonOptions, ExitCode, Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {UsageError} from './usage-error.ts';

type World = Pick<Surroundings, 'terminal' | 'settings' | 'env' | 'askSecret' | 'readInput'>;

/** The keys of model providers on this machine: agents never see them, the runner's proxy puts them into requests. */
export function modelKeyCommands(world: World): readonly Command[] {
  return [...storeCommands(world), ...readCommands(world)];
}

function storeCommands(world: World): readonly Command[] {
  const {terminal} = world;
  const store =
    (verb: 'set' | 'rotate'): Run =>
    async ([name], options) => {
      const provider = providerOf(name);
      const keys = await openKeys(world, options);
      if (verb === 'rotate' && (await keys.get(provider)) === undefined)
        throw new SwitchyardError(
          'configuration_invalid',
          `there is no key for ${provider} yet: switchyard keys set ${provider}`,
        );
      const value = await secretInput(world, `Key for ${provider}: `, 'key');
      const url = text(options, 'at') ?? (verb === 'rotate' ? (await keys.urls())[provider] : undefined);
      await keys.set(provider, value, url);
      if (options.json === true) terminal.out(JSON.stringify({provider, stored: keys.place}));
      else terminal.out(`${provider}: stored in ${keys.place}; agents that run use it from their next request on`);
    };
  return [
    leaf(
      {
        name: 'set <provider>',
        summary: `store the key of a model provider (${providerNames.join(', ')}); read from standard input`,
        examples: ['keys set anthropic', 'pass show anthropic | switchyard keys set anthropic'],
        configure: command => command.option('--at <url>', "a gateway to use instead of the provider's own address"),
      },
      store('set'),
    ),
    leaf(
      {
        name: 'rotate <provider>',
        summary: 'replace a stored key; requests under way keep the old one, no agent is disturbed',
        examples: ['keys rotate anthropic', 'pass show anthropic | switchyard keys rotate anthropic'],
      },
      store('rotate'),
    ),
  ];
}

function readCommands(world: World): readonly Command[] {
  const {terminal} = world;
  return [
    leaf(
      {
        name: 'list',
        summary: 'which providers have a key on this machine; keys are never shown',
        examples: ['keys list', 'keys list --json'],
      },
      async (_, options) => {
        const keys = await openKeys(world, options);
        const urls = await keys.urls();
        const rows = await Promise.all(
          providerNames.map(async provider => ({
            provider,
            stored: (await keys.get(provider)) !== undefined,
            url: urls[provider] ?? providers[provider].upstream,
          })),
        );
        if (options.json === true) return terminal.out(JSON.stringify({place: keys.place, keys: rows}));
        const cells = rows.map(({provider, stored, url}) => [provider, stored ? 'yes' : '-', url]);
        for (const line of table(['PROVIDER', 'KEY', 'AT'], cells, terminal.columns)) terminal.out(line);
      },
    ),
    leaf(
      {
        name: 'check [provider]',
        summary: 'ask each provider whether it takes its key; costs nothing',
        examples: ['keys check', 'keys check anthropic --json'],
      },
      async ([name], options) => check(world, await openKeys(world, options), {name, isJson: options.json === true}),
    ),
    leaf(
      {
        name: 'delete <provider>',
        summary: 'forget a key; agents that use it stop at their next request',
        examples: ['keys delete anthropic', 'keys delete openai --json'],
      },
      async ([name], options) => {
        const provider = providerOf(name);
        const deleted = await (await openKeys(world, options)).delete(provider);
        if (options.json === true) terminal.out(JSON.stringify({provider, deleted}));
        else terminal.out(deleted ? `${provider}: deleted` : `${provider}: there was no key`);
      },
    ),
  ];
}

async function check(
  {terminal}: World,
  keys: ModelKeys,
  {name, isJson}: {readonly name: string | undefined; readonly isJson: boolean},
): Promise<ExitCode> {
  const urls = await keys.urls();
  const asked = name === undefined ? providerNames : [providerOf(name)];
  const stored = await Promise.all(asked.map(async provider => ({provider, value: await keys.get(provider)})));
  const found = stored.flatMap(({provider, value}) => (value === undefined ? [] : [{provider, value}]));
  if (found.length === 0)
    throw new SwitchyardError(
      'configuration_invalid',
      `there is no key here for ${asked.join(', ')}: switchyard keys set`,
    );
  const answers = await Promise.all(
    found.map(async ({provider, value}) => ({provider, ...(await checkKey(provider, value, urls[provider]))})),
  );
  if (isJson) terminal.out(JSON.stringify({keys: answers}));
  else
    for (const {provider, ok, detail} of answers)
      terminal.out(`${terminal.paint(ok ? 'green' : 'red', ok ? 'ok' : 'refused')}  ${provider}  ${detail}`);
  return answers.every(({ok}) => ok) ? 0 : 1;
}

function providerOf(name: string | undefined): ProviderName {
  if (name !== undefined && isProviderName(name)) return name;
  throw new UsageError(`there is no provider ${name ?? ''}; there are ${providerNames.join(', ')}`);
}

async function openKeys({settings, env}: World, options: CommonOptions): Promise<ModelKeys> {
  const {layout} = await settings(options);
  return modelKeys(fileVault(layout.runnerDirectory, env['SWITCHYARD_KEYS_PASSPHRASE'] ?? ''), layout.runnerDirectory);
}
