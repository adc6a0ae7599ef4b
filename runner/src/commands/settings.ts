import {availableParallelism} from 'node:os';
import {isAbsolute, join, resolve} from 'node:path';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {readClientFile} from '../services/client-file.ts';
import {stateLayout, type StateLayout} from '../services/state-layout.ts';
import {parseCount} from './units.ts';
import {UsageError} from './usage-error.ts';

/** A value and where it came from, in words for a person. */
export type Setting<Value> = {readonly value: Value; readonly from: string};

export type Settings = {
  readonly state: Setting<string>;
  readonly url: Setting<string>;
  readonly token: Setting<string | undefined>;
  readonly port: Setting<number>;
  readonly host: Setting<string>;
  readonly slots: Setting<number>;
  readonly layout: StateLayout;
};

export type Flags = {
  readonly state?: string | undefined;
  readonly url?: string | undefined;
  readonly port?: string | undefined;
  readonly host?: string | undefined;
  readonly slots?: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

/** 8787 is wrangler's, 3020 and 8080 belong to half of the world's development servers. */
export const portDefault = 7420;
const slotsDefaultMax = 4;

/**
 * A flag wins over the environment, the environment over the file of `switchyard login`, that over the default. A token
 * is never a flag: other users of the machine can read command lines.
 *
 * @throws UsageError for a value that cannot be read; SwitchyardError when the file cannot
 */
export async function resolveSettings(flags: Flags, env: Environment, home: string): Promise<Settings> {
  // Of an empty one, the folder that one is in would become the state directory.
  if (!isAbsolute(home))
    throw new UsageError(`HOME is ${JSON.stringify(home)}, expected an absolute path: set it, or unset it`);
  const state = first(given(flags.state, '--state'), variable(env, 'SWITCHYARD_STATE'), {
    value: join(home, '.switchyard'),
    from: 'default',
  });
  const layout = stateLayout(resolve(state.value));
  const file = await readClientFile(layout.clientFile);
  const inFile = (value: string | undefined): Setting<string> | undefined => given(value, layout.clientFile);
  const port = first(given(flags.port, '--port'), variable(env, 'SWITCHYARD_PORT', 'ORCHESTRATOR_DAEMON_PORT'), {
    value: String(portDefault),
    from: 'default',
  });
  const host = first(given(flags.host, '--host'), variable(env, 'SWITCHYARD_HOST', 'ORCHESTRATOR_DAEMON_HOST'), {
    value: '127.0.0.1',
    from: 'default',
  });
  const slots = first(given(flags.slots, '--slots'), variable(env, 'SWITCHYARD_SLOTS', 'ORCHESTRATOR_MAX_SESSIONS'), {
    value: String(Math.min(slotsDefaultMax, availableParallelism())),
    from: 'default',
  });
  const url = first(given(flags.url, '--url'), variable(env, 'SWITCHYARD_URL'), inFile(file?.url), {
    value: `http://127.0.0.1:${port.value}`,
    from: 'default',
  });
  return {
    layout,
    state: {...state, value: layout.root},
    url,
    token: variable(env, 'SWITCHYARD_TOKEN') ?? inFile(file?.token) ?? {value: undefined, from: 'not set'},
    port: {...port, value: parseCount(port.from, port.value, [1, 65_535])},
    host,
    slots: {...slots, value: parseCount(slots.from, slots.value, [1, limits.slotsMax])},
  };
}

function given(value: string | undefined, from: string): Setting<string> | undefined {
  return value === undefined ? undefined : {value, from};
}

/** The first of the names that is set; an empty variable counts as not set. */
function variable(env: Environment, ...names: readonly string[]): Setting<string> | undefined {
  const name = names.find(each => (env[each] ?? '') !== '');
  return name === undefined ? undefined : given(env[name], `environment ${name}`);
}

function first(...settings: readonly [...(Setting<string> | undefined)[], Setting<string>]): Setting<string> {
  return settings.find(setting => setting !== undefined) ?? {value: '', from: ''};
}

/** Enough of a secret to recognise it, nothing to use it. */
export function redacted(secret: string): string {
  return secret.length <= 12 ? '***' : `${secret.slice(0, 4)}…(${secret.length} characters)`;
}
