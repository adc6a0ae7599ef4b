import {mkdirSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {Bed, type RunnerProcess} from '../fixtures/installation.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import type {Scenario} from '../fixtures/model-api/scenario.ts';
import {agentClis} from './agent-clis.ts';

/** The key as it must never be seen anywhere but in requests that reach the model API. */
export const REAL_KEY = 'sk-ant-api03-CANARY0123456789CANARY0123456789';

/** Patient with a machine that runs real agents beside everything else. */
const lease = {
  ttl_ms: 20_000,
  renew_ms: 5_000,
  grace_ms: 3_000,
  offer_ms: 5_000,
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
