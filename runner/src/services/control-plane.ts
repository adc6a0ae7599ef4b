import {existsSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {Log, LogLevel, Miniflare, Response, type MiniflareOptions} from 'miniflare';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {applyMigrations, readMigrations} from './database-migration.ts';
import {installationSecret, type InstallationSecret} from './installation-secret.ts';
import {checkPortFree, portTaken} from './port.ts';
import {makePrivateDirectory} from './private-file.ts';
import {workerBundle} from './worker-bundle.ts';
import {errnoOf} from '../state/errno.ts';

/** As in wrangler.toml; a test compares the two. */
export const compatibility = {date: '2026-11-02', flags: ['nodejs_compat']} as const;

export type ControlPlaneOptions = {
  /** The checkout or the installed package: holds worker/, migrations/ and dashboard/. */
  readonly repository: string;
  /** Everything it keeps lies here. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  /** Settings of the Worker that are its owner's, such as `SWITCHYARD_LEASE` and `DISPATCH_SECRET`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** A shutdown of this pool was asked for: answers whether the whole is going to end for that. */
  readonly onShutdown?: (pool: string) => boolean;
  readonly onLine: (line: string) => void;
};

export type ControlPlane = {readonly url: string; readonly stop: () => Promise<void>};

/**
 * The Worker in a real workerd on this machine: Durable Objects and D1 on disk, one direct socket without a proxy in
 * front. It calls nobody outside: no account, no telemetry, no lookup. Resolves when migrations are applied and it
 * listens.
 *
 * @throws SwitchyardError `port_taken`, `state_corrupt`, `configuration_invalid`, `unavailable`
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const {repository, directory, host, port} = options;
  await makePrivateDirectory(directory);
  await checkPortFree(host, port);
  const secret = await installationSecret(join(directory, 'secret.json'));
  const bundle = await workerBundle(repository, join(directory, 'bundle'));
  const miniflare = new Miniflare(miniflareOptions(options, secret, await readFile(bundle, 'utf8')));
  try {
    await miniflare.ready;
    const database = await miniflare.getD1Database('DB', 'switchyard');
    const applied = await applyMigrations(database, await readMigrations(join(repository, 'migrations/d1')));
    for (const name of applied) options.onLine(`applied migration ${name}`);
    const {origin} = await miniflare.unsafeGetDirectURL('switchyard');
    return {url: origin, stop: () => miniflare.dispose()};
  } catch (error) {
    await miniflare.dispose().catch(() => undefined);
    throw await asStartError(error, options);
  }
}

function miniflareOptions(
  {repository, directory, host, port, variables = {}, onShutdown = () => false, onLine}: ControlPlaneOptions,
  {secret, signing_keys: signingKeys}: InstallationSecret,
  contents: string,
): MiniflareOptions {
  const text = (value: string) => ({type: 'json', value}) as const;
  const object = (exportName: string) => ({type: 'durable-object', worker: 'switchyard', exportName}) as const;
  const page = pageWorker(repository, directory);
  return {
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: {enabled: false},
    enableDevRegistry: false,
    logRequests: false,
    log: new Log(LogLevel.WARN),
    handleStructuredLogs: ({level, message}) => onLine(`${level} ${message}`),
    resourcePersistencePath: join(directory, 'data'),
    resourceTmpPath: join(directory, 'tmp'),
    workers: [
      {
        config: {
          name: 'switchyard',
          compatibilityDate: compatibility.date,
          compatibilityFlags: [...compatibility.flags],
          manifest: {
            mainModule: 'worker.mjs',
            modulesRoot: directory,
            modules: {'worker.mjs': {type: 'esm', contents}},
          },
          env: {
            FLEET: object('Fleet'),
            TASK_LOG: object('TaskLog'),
            DB: {type: 'd1', id: 'switchyard'},
            SWITCHYARD_SECRET: text(secret),
            SWITCHYARD_SIGNING_KEYS: text(JSON.stringify(signingKeys)),
            SWITCHYARD_HOSTS: text(hostNames(host)),
            EMBEDDER: {
              type: 'fetcher',
              handler: async request => new Response(null, {status: onShutdown(await request.text()) ? 204 : 404}),
            },
            ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, text(value)])),
            ...(page === undefined ? {} : {ASSETS: {type: 'worker', worker: 'page'} as const}),
          },
          exports: {
            Fleet: {type: 'durable-object', storage: 'sqlite'},
            TaskLog: {type: 'durable-object', storage: 'sqlite'},
          },
        },
        dev: {unsafeDirectSockets: [{host, port}]},
      },
      ...(page === undefined ? [] : [page]),
    ],
  };
}

/**
 * What it may be called besides addresses and localhost: the name it was told to listen on, and on every interface the
 * name of this machine, which no website can point anywhere.
 */
function hostNames(host: string): string {
  const machine = hostname();
  return ['0.0.0.0', '::'].includes(host) ? [machine, `${machine}.local`].join(',') : host;
}

/**
 * The web page as a Worker of its own: assets on the main one would put miniflare's router in front of every request
 * of its direct socket.
 */
function pageWorker(repository: string, directory: string): MiniflareOptions['workers'][number] | undefined {
  const assets = ['dashboard/dist', 'dashboard/public']
    .map(name => join(repository, name))
    .find(path => existsSync(path));
  if (assets === undefined) return undefined;
  const contents = 'export default {fetch: (request, env) => env.ASSETS.fetch(request)};';
  return {
    config: {
      name: 'page',
      compatibilityDate: compatibility.date,
      manifest: {mainModule: 'page.mjs', modulesRoot: directory, modules: {'page.mjs': {type: 'esm', contents}}},
      env: {ASSETS: {type: 'assets'}},
      assets: {directory: assets, hasUserWorker: true},
    },
  };
}

/** Somebody may have taken the port after it was tried. */
async function asStartError(error: unknown, {host, port}: ControlPlaneOptions): Promise<SwitchyardError> {
  if (error instanceof SwitchyardError) return error;
  const code = errnoOf(error) ?? '';
  if (code === 'ERR_ADDRESS_IN_USE') return portTaken(host, port);
  return new SwitchyardError('unavailable', `workerd did not start: ${firstLine(error)}`, {cause: error});
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
