import {statSync} from 'node:fs';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {taskBriefSchema} from '@switchyard/shared/domain/task-brief.ts';
import {agentSchema, taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {usdPattern} from '@switchyard/shared/policy/money.ts';
import {olderAgent, type OlderAgent} from '@switchyard/shared/prompts/older-agent.ts';
import {UsageError} from './usage-error.ts';
import {parseBytes, parseDuration} from './units.ts';

export type TaskOptions = {
  readonly title?: string | undefined;
  readonly repo?: string | undefined;
  readonly base?: string | undefined;
  readonly against?: string | undefined;
  readonly rebase?: boolean | undefined;
  readonly agent?: string | undefined;
  readonly command?: string | undefined;
  readonly models?: string | undefined;
  readonly model?: string | undefined;
  readonly profile?: string | undefined;
  readonly role?: string | undefined;
  readonly asIs?: boolean | undefined;
  /** JSON. */
  readonly brief?: string | undefined;
  readonly turns?: string | undefined;
  readonly tokens?: string | undefined;
  readonly cost?: string | undefined;
  readonly check: readonly string[];
  readonly priority?: string | undefined;
  readonly label: readonly string[];
  readonly timeout?: string | undefined;
  readonly memory?: string | undefined;
};

/** The spec that the options of `task create` describe. Throws `UsageError` that names the option and its value. */
export function taskSpecOf(
  prompt: string,
  options: TaskOptions & Readonly<Record<string, unknown>>,
  {cwd}: {readonly cwd: string},
): TaskSpecInput {
  const {title, timeout, memory} = options;
  const spec: TaskSpecInput = {
    prompt,
    title,
    brief: brief(options),
    repository: repository(options, cwd),
    agent: agent(options),
    budget: budget(options),
    checks: options.check.map(check => words('--check', check)),
    priority: options.priority === undefined ? undefined : priority(options.priority),
    requires: [...options.label],
    timeout_ms: timeout === undefined ? olderAgentOf(options.role)?.timeoutMs : parseDuration('--timeout', timeout),
    memory_bytes_max: memory === undefined ? undefined : parseBytes('--memory', memory),
  };
  const parsed = taskSpecSchema.safeParse(spec);
  if (parsed.success) return spec;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${optionOf(issue?.path.join('.') ?? '', options)}: ${issue?.message ?? 'invalid'}`);
}

/** What fills a field of the spec, where it is one option. */
const optionOfField: Readonly<Record<string, keyof TaskOptions>> = {
  title: 'title',
  'repository.url': 'repo',
  'repository.base': 'base',
  'repository.against': 'against',
  'agent.model': 'model',
  'agent.turns_max': 'turns',
  'budget.tokens_max': 'tokens',
  'budget.cost_usd_max': 'cost',
  timeout_ms: 'timeout',
  memory_bytes_max: 'memory',
};

/** The option and its value, as they were typed, with the field whose unit the refusal speaks of. */
function optionOf(field: string, options: TaskOptions): string {
  const [, requires] = /^requires\.(\d+)$/.exec(field) ?? [];
  if (requires !== undefined) return `--label is ${JSON.stringify(options.label[Number(requires)])}`;
  const name = optionOfField[field];
  const value = name === undefined ? undefined : options[name];
  return value === undefined ? field : `--${name} is ${JSON.stringify(value)}, as ${field}`;
}

/** Throws `UsageError` that names the field of the file, which nobody would find by the field of the task. */
function brief({brief: text}: TaskOptions): TaskSpecInput['brief'] {
  if (text === undefined) return undefined;
  const json = parseJson(text);
  const read = taskBriefSchema.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new UsageError(
    json === undefined
      ? '--brief is not JSON'
      : `--brief ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
  );
}

function budget({tokens, cost}: TaskOptions): TaskSpecInput['budget'] {
  if (tokens === undefined && cost === undefined) return undefined;
  return {
    ...(tokens === undefined ? {} : {tokens_max: countOf('--tokens', tokens)}),
    ...(cost === undefined ? {} : {cost_usd_max: dollars('--cost', cost)}),
  };
}

/** Throws `UsageError` that names the option for anything but an amount. */
export function dollars(option: string, amount: string): string {
  if (usdPattern.test(amount)) return amount;
  throw new UsageError(`${option} is ${JSON.stringify(amount)}, expected dollars such as 25 or 2.50`);
}

const {driver: drivers, models: providers, profile: profiles, type: roles} = agentSchema.shape;

function agent(options: TaskOptions): TaskSpecInput['agent'] {
  const {command, model, models, asIs = false, turns} = options;
  const driver = oneOf(
    '--agent',
    options.agent ?? (command === undefined ? 'scripted' : 'exec'),
    drivers.unwrap().options,
  );
  refuseForeign(driver, options);
  return {
    driver,
    model,
    ...(command === undefined ? {} : {command: words('--command', command)}),
    ...(models === undefined ? {} : {models: modelsOf(models)}),
    ...roleOf(options),
    ...(asIs ? {prompt: 'as_is' as const} : {}),
    ...(turns === undefined ? {} : {turns_max: countOf('--turns', turns)}),
  };
}

function refuseForeign(driver: string, {command, models}: TaskOptions): void {
  if (driver === 'exec' && command === undefined) throw new UsageError('--agent exec needs --command');
  if (driver !== 'exec' && command !== undefined) throw new UsageError('--command needs --agent exec');
  if (driver !== 'exec' && models !== undefined) throw new UsageError('--models needs --agent exec');
}

function modelsOf(names: string): NonNullable<NonNullable<TaskSpecInput['agent']>['models']> {
  const known = providers.unwrap().element.options;
  return names.split(',').map(name => oneOf('--models', name.trim(), known));
}

/** The role with its profile; names of the older engine bring the tools and the time that they had there. */
function roleOf({role, profile}: TaskOptions): Pick<NonNullable<TaskSpecInput['agent']>, 'type' | 'profile'> {
  const stated = profile === undefined ? {} : {profile: oneOf('--profile', profile, profiles.unwrap().options)};
  if (role === undefined) return stated;
  const older = olderAgentOf(role);
  if (older !== undefined) return {type: older.type, profile: older.profile, ...stated};
  return {type: oneOf('--role', role, roles.unwrap().options), ...stated};
}

function olderAgentOf(role: string | undefined): OlderAgent | undefined {
  return role === undefined || roles.unwrap().options.some(each => each === role) ? undefined : olderAgent(role);
}

export function oneOf<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const word = words.find(each => each === text);
  if (word !== undefined) return word;
  throw new UsageError(`${option} is ${JSON.stringify(text)}, expected one of ${words.join(', ')}`);
}

/** A whole number; `k` and `M` stand for thousands and millions. */
export function countOf(option: string, text: string): number {
  const {number, unit = ''} = /^(?<number>[1-9]\d{0,9})(?<unit>[kM])?$/.exec(text)?.groups ?? {};
  if (number === undefined)
    throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a number such as 50 or 200k`);
  return Number(number) * (unit === 'M' ? 1_000_000 : unit === 'k' ? 1_000 : 1);
}

function repository({repo, base, against, rebase}: TaskOptions, cwd: string): TaskSpecInput['repository'] {
  const stated = {'--base': base, '--against': against, '--rebase': rebase === true ? rebase : undefined};
  const needing = Object.entries(stated).find(([, value]) => value !== undefined)?.[0];
  if (repo === undefined && needing !== undefined) throw new UsageError(`${needing} needs --repo`);
  if (repo === undefined) return undefined;
  return {
    url: repositoryUrl(repo, cwd),
    ...(base === undefined ? {} : {base}),
    ...(against === undefined ? {} : {against}),
    ...(rebase === true ? {rebase} : {}),
  };
}

/** A path on this machine becomes a file URL; only runners on this machine can reach it. */
export function repositoryUrl(text: string, cwd: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) {
    if (URL.parse(text)?.password || /^https?:\/\/[^/]*@/.test(text))
      throw new UsageError(
        '--repo holds a credential, which would be kept with the task: store it with switchyard keys, or log in with git',
      );
    return text;
  }
  const path = resolve(cwd, text);
  if (statSync(path, {throwIfNoEntry: false})?.isDirectory() !== true)
    throw new UsageError(`--repo ${text} is neither a URL nor a directory`);
  return pathToFileURL(path).href;
}

function priority(text: string): 'high' | 'normal' | number {
  if (text === 'high' || text === 'normal') return text;
  if (/^[1-5]$/.test(text)) return Number(text);
  throw new UsageError(`--priority is ${JSON.stringify(text)}, expected 1 to 5, high or normal`);
}

/**
 * Cuts a command into its words: spaces part them, quotes hold them together, a backslash takes the next character as
 * it is. Nothing is expanded and no shell ever sees it.
 */
export function words(option: string, text: string): string[] {
  const found: string[] = [];
  const pattern = /\s*((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)/gy;
  let at = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    at = pattern.lastIndex;
    const word = match[1] ?? '';
    found.push(
      word.replaceAll(
        /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g,
        (_, single?: string, double?: string, escaped?: string) =>
          single ?? double?.replaceAll(/\\(["\\])/g, '$1') ?? escaped ?? '',
      ),
    );
  }
  if (text.slice(at).trim() !== '' || found.length === 0)
    throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a command with closed quotes`);
  return found;
}
