import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {Bed, type RunnerProcess} from '../fixtures/installation.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import type {Scenario} from '../fixtures/model-api/scenario.ts';
import {until} from '../fixtures/until.ts';
import {agentClis} from './agent-clis.ts';

/** The key as it must never be seen anywhere but in requests that reach the model API. */
export const REAL_KEY = 'sk-ant-api03-CANARY0123456789CANARY0123456789';

/** How long real agents may take to come where a test waits for them, on a machine that does much else. */
export const PATIENCE_MS = 150_000;

/**
 * Patient with a machine that runs real agents beside everything else. No test waits for a lease to end, and an offer that
 * is not accepted in time, or a lease that ends while its runner starts again, would give the task another epoch.
 */
const lease = {
  ttl_ms: 90_000,
  renew_ms: 5_000,
  grace_ms: 3_000,
  offer_ms: 30_000,
  soft_stop_ms: 5_000,
  hard_kill_ms: 1_000,
};

/** A control plane, a runner with the real agent CLIs and a key, and a model API that plays scenarios. */
export type Stage = {
  readonly bed: Bed;
  readonly runner: RunnerProcess;
  readonly api: ModelApi;
  readonly repository: {readonly path: string; readonly url: string};
  readonly submit: (spec: TaskSpecInput) => Promise<TaskView['id']>;
  readonly stop: () => Promise<void>;
};

type StageMore = {
  /** Beside what every runner of a stage is started with. */
  readonly env?: Readonly<Record<string, string>>;
  readonly key?: string;
  /** Called with the home of the runner before it is started. */
  readonly plant?: (home: string) => void;
};

export async function openStage(
  scenarios: Readonly<Record<string, Scenario>>,
  /** Files of the runner's own folder, by name: its policy, its charter. */
  files: Readonly<Record<string, string>> = {},
  {env = {}, key = REAL_KEY, plant}: StageMore = {},
): Promise<Stage> {
  const programs = await agentClis();
  const api = await ModelApi.start(scenarios);
  const bed = await Bed.start({lease});
  bed.patienceMs = PATIENCE_MS;
  const runnerDirectory = join(bed.folder, 'runner', 'runner');
  mkdirSync(runnerDirectory, {recursive: true, mode: 0o700});
  for (const [name, text] of Object.entries(files)) writeFileSync(join(runnerDirectory, name), text);
  plant?.(bed.folder);
  const keys = modelKeys(fileVault(runnerDirectory, env['SWITCHYARD_KEYS_PASSPHRASE'] ?? ''), runnerDirectory);
  for (const provider of ['anthropic', 'openai', 'google']) await keys.set(provider, key, api.url);
  const path = [programs, ...(process.env['PATH'] ?? '').split(delimiter)].join(delimiter);
  const runner = await bed.runner('runner', {env: {...env, PATH: path}});
  const repository = await bed.repository();
  return {
    bed,
    runner,
    api,
    repository,
    submit: async spec => (await bed.submit({repository: {url: repository.url}, ...spec})).id,
    stop: async () => {
      await bed.stop();
      await api.close();
    },
  };
}

/** Where the first attempt of a task works, once it does. */
export async function worktreeOf({runner}: Stage, id: string): Promise<string> {
  const root = join(runner.stateDirectory, 'worktrees');
  const find = (): string | undefined =>
    (existsSync(root) ? readdirSync(root) : [])
      .map(repository => join(root, repository, `${id}-e1`))
      .find(path => existsSync(path));
  return until(`a worktree of ${id}`, find, PATIENCE_MS);
}

type Metered = {readonly input: number; readonly output: number};

/** What the proxy of the runner has noted of the answers to a task so far; the last line may be on its way to the disk. */
export function meteredOf({runner}: Stage, id: string): readonly Metered[] {
  const text = readFileSync(join(runner.stateDirectory, 'model-proxy.ndjson'), 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as {readonly task: string; readonly usage: Metered | null})
    .flatMap(({task, usage}) => (task === id && usage !== null ? [usage] : []));
}
