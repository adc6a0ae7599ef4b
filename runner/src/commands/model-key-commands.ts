import type {Command} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {checkKey} from '../agent/proxy/key-check.ts';
import {isProviderName, providerNames, providers, type ProviderName} from '../agent/proxy/provider.ts';
import {gitCredentials, gitKeyName} from '../secrets/git-credentials.ts';
import {KeyStore, type KeyPlace} from '../secrets/key-store.ts';
import {keyStoreNames} from '../secrets/key-vault.ts';
import {modelKeyName, modelKeys, modelUrlSchema, type ModelKeys} from '../secrets/model-keys.ts';
import {aloneWithSecrets} from '../secrets/secrets-lock.ts';
import {leaf, text, type Run} from './leaf.ts';
import {secretInput} from './secret-input.ts';
import type {CommonOptions, ExitCode, Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {oneOf} from './task-spec-options.ts';
import {UsageError} from './usage-error.ts';

type World = Pick<Surroundings, 'terminal' | 'settings' | 'env' | 'askSecret' | 'readInput' | 'nowMs' | 'randomHex'>;

/** The keys of model providers on this machine: agents never see them, the runner's proxy puts them into requests. */
export function modelKeyCommands(world: World): readonly Command[] {
  return [...storeCommands(world), ...readCommands(world), moveCommand(world)];
}

function storeCommands(world: World): readonly Command[] {
  const {terminal} = world;
  const store =
    (verb: 'set' | 'rotate'): Run =>
    async ([name], options) => {
      const provider = providerOf(name);
      const at = urlOf(text(options, 'at'));
      const {keys, store: kept} = await openKeys(world, options);
      if (verb === 'rotate' && (await keys.find(provider)) === undefined)
        throw new SwitchyardError(
          'configuration_invalid',
          `there is no key for ${provider} yet: switchyard keys set ${provider}`,
        );
      const value = await secretInput(world, `Key for ${provider}: `, 'key');
      const url = at ?? (verb === 'rotate' ? (await keys.find(provider))?.url : undefined);
      await keys.set(provider, value, url);
      const place = await kept.place();
      if (options.json === true)
        return terminal.out(JSON.stringify({provider, stored: place?.vault.place, store: place?.vault.store}));
      terminal.out(`${provider}: stored in ${place?.vault.place}; agents that run use it from their next request on`);
      for (const line of placeHints(place)) terminal.err(line);
    };
  return [
    leaf(
      {
        name: 'set <provider>',
        summary: `store the key of a model provider (${providerNames.join(', ')}); read from standard input`,
        examples: ['keys set anthropic', '$ pass show anthropic | switchyard keys set anthropic'],
        configure: command => command.option('--at <url>', "a gateway to use instead of the provider's own address"),
      },
      store('set'),
    ),
    leaf(
      {
        name: 'rotate <provider>',
        summary: 'replace a stored key; requests under way keep the old one, no agent is disturbed',
        examples: ['keys rotate anthropic', '$ pass show anthropic | switchyard keys rotate anthropic'],
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
        const {keys, store} = await openKeys(world, options);
        const place = await store.place();
        const rows = await Promise.all(
          providerNames.map(async provider => {
            const key = await keys.find(provider);
            return {provider, stored: key !== undefined, url: key?.url ?? providers[provider].upstream};
          }),
        );
        if (options.json === true)
          return terminal.out(
            JSON.stringify({place: place?.vault.place ?? null, store: place?.vault.store ?? null, keys: rows}),
          );
        if (place !== undefined) terminal.err(`The keys of this machine are kept in ${place.vault.place}`);
        for (const line of placeHints(place)) terminal.err(line);
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
      async ([name], options) =>
        check(world, (await openKeys(world, options)).keys, {name, isJson: options.json === true}),
    ),
    leaf(
      {
        name: 'delete <provider>',
        summary: 'forget a key; agents that use it stop at their next request',
        examples: ['keys delete anthropic', 'keys delete openai --json'],
      },
      async ([name], options) => {
        const provider = providerOf(name);
        const deleted = await (await openKeys(world, options)).keys.delete(provider);
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
  const asked = name === undefined ? providerNames : [providerOf(name)];
  const stored = await Promise.all(asked.map(async provider => ({provider, key: await keys.find(provider)})));
  const found = stored.flatMap(({provider, key}) => (key === undefined ? [] : [{provider, ...key}]));
  if (found.length === 0)
    throw new SwitchyardError(
      'configuration_invalid',
      `there is no key here for ${asked.join(', ')}: switchyard keys set`,
    );
  const answers = await Promise.all(
    found.map(async ({provider, value, url}) => ({provider, ...(await checkKey(provider, value, url))})),
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

/** Checked before anything is asked for or kept: an address that is none would be in the way of every later command. */
function urlOf(at: string | undefined): string | undefined {
  if (at === undefined || modelUrlSchema.safeParse(at).success) return at;
  throw new UsageError(`--at is ${JSON.stringify(at)}, expected an http or https URL`);
}

function moveCommand(world: World): Command {
  const {terminal} = world;
  return leaf(
    {
      name: 'move',
      summary: `keep the keys of this machine in another store (${keyStoreNames.join(', ')})`,
      examples: ['keys move --to secret-service', 'keys move --to file'],
      configure: command => command.requiredOption('--to <store>', 'where to'),
    },
    async (_, options) => {
      const to = oneOf('--to', text(options, 'to') ?? '', keyStoreNames);
      const {store, directory} = await openKeys(world, options);
      const {vault, moved} = await aloneWithSecrets(directory, async () => {
        const logins = await gitCredentials(store, directory).list();
        const names = [...providerNames.map(modelKeyName), ...logins.map(({scope}) => gitKeyName(scope))];
        return store.moveTo(to, names);
      });
      if (options.json === true) terminal.out(JSON.stringify({store: vault.store, place: vault.place, moved}));
      else terminal.out(`${moved} ${moved === 1 ? 'key' : 'keys'} moved to ${vault.place}`);
    },
  );
}

async function openKeys(
  {settings, env, nowMs, randomHex}: World,
  options: CommonOptions,
): Promise<{readonly keys: ModelKeys; readonly store: KeyStore; readonly directory: string}> {
  const {runnerDirectory: directory} = (await settings(options)).layout;
  const store = new KeyStore({directory, env, platform: process.platform, nowMs, randomHex});
  return {store, directory, keys: modelKeys(store, directory)};
}

/** What a person can do about a place that is not the best one. */
function placeHints(place: KeyPlace | undefined): readonly string[] {
  if (place === undefined || place.osTrouble === null) return [];
  return [
    `Not in the key store of the operating system: ${place.osTrouble}. Mend that, then run switchyard keys move.`,
  ];
}
