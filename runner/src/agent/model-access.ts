import {randomBytes} from 'node:crypto';
import {join} from 'node:path';
import type {AgentEventOf} from '@switchyard/shared/domain/agent-event.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ModelKeys} from '../secrets/model-keys.ts';
import type {ModelAccess, ToolAccess} from './driver.ts';
import type {Figures} from '@switchyard/shared/policy/budget.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {Spent} from '@switchyard/shared/protocol/spending.ts';
import type {Budget} from './proxy/allowance.ts';
import {AuditLog} from './proxy/audit-log.ts';
import type {Grant} from './proxy/grant.ts';
import {Ledger} from './proxy/ledger.ts';
import {McpCalls} from './proxy/mcp-calls.ts';
import {ModelProxy} from './proxy/model-proxy.ts';
import type {ProviderName} from './proxy/provider.ts';
import {readProxyFile, writeProxyFile, type ProxyFile} from './proxy/proxy-file.ts';
import {writeProxyNote} from './proxy/proxy-status.ts';
import {ProxyWatch} from './proxy/proxy-watch.ts';
import {stopResult} from './proxy/stop.ts';

export type ModelDoorOptions = {
  readonly stateDirectory: string;
  readonly keys: ModelKeys;
  readonly isLive: (grant: Grant) => boolean;
  readonly budgetOf: (grant: Grant) => Budget;
  readonly runDirectoryOf: (grant: Grant) => string;
  /** Asks the control plane for a slice that reaches so far; false when it did not answer. */
  readonly enlarge: (grant: Grant, wanted: Figures) => Promise<boolean>;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly random: () => number;
  readonly log: (line: string) => void;
  /** Hears why agents reach no model, and null when they do again. */
  readonly onHealth: (trouble: string | null) => void;
};

/** The proxy of this runner, as attempts use it. */
export type ModelDoor = {
  /**
   * @throws SwitchyardError model_refused when this machine has no key for one of the providers
   * @throws SwitchyardError executor_unavailable when the proxy does not answer: no agent starts without it
   */
  readonly open: (grant: Grant, wanted: readonly ProviderName[]) => Promise<ModelAccess>;
  readonly tools: (grant: Grant) => ToolAccess;
  /** Takes the calls of our tools by the agent of an attempt, until the answer is called. */
  readonly takeCalls: McpCalls['offer'];
  /** Why agents reach no model right now; null where they do. */
  readonly trouble: () => string | null;
  /** Null before the first answer of a model. */
  readonly spent: (grant: Grant) => Promise<Spent | null>;
  /** Totals that an agent tells of itself, where it needs no proxy: they are all that is known of its spending. */
  readonly told: (grant: Grant, totals: AgentEventOf<'usage_update'>) => Promise<void>;
  /** Bytes of answers of models since this process began. */
  readonly bytes: (grant: Grant) => number;
  /** The files of the attempt are gone, and with them what was counted of it. */
  readonly forget: (grant: Grant) => void;
  /** How an attempt ends whose agent failed after it was refused a model; null where it was not. */
  readonly stopped: (grant: Grant) => Promise<AttemptResult | null>;
  readonly close: () => Promise<void>;
};

const AUDIT_FILE = 'model-proxy.ndjson';

export async function openModelDoor(options: ModelDoorOptions): Promise<ModelDoor> {
  const {stateDirectory, keys, isLive, budgetOf, enlarge, wallMs, log} = options;
  const {port, secret} = await stored(stateDirectory);
  const ledger = new Ledger(options.runDirectoryOf);
  const audit = new AuditLog(
    join(stateDirectory, AUDIT_FILE),
    () => new Date(wallMs()).toISOString(),
    error => log(`the audit log of the model proxy: ${error instanceof Error ? error.message : 'failed'}`),
  );
  const calls = new McpCalls();
  const proxy = await ModelProxy.start({
    port,
    callTool: async (grant, tool, input) => calls.call(grant, tool, input),
    secret: Buffer.from(secret, 'base64'),
    keyOf: async provider => keys.find(provider),
    isLive,
    budgetOf,
    enlarge,
    ledger,
    audit: entry => audit.add(entry),
    nowMs: () => performance.now(),
    wallMs,
  });
  const {watch, noted} = await watchOver(proxy, {port, secret}, options);
  return {
    async open(grant, wanted) {
      for (const provider of wanted)
        if ((await keys.find(provider)) === undefined)
          throw new SwitchyardError(
            'model_refused',
            `this machine has no key for ${provider}: run switchyard keys set ${provider} on it`,
          );
      await watch.check();
      return proxy.accessOf(grant);
    },
    trouble: () => watch.trouble,
    spent: async grant => spentOf(ledger, grant),
    tools: grant => proxy.toolAccessOf(grant),
    takeCalls: (grant, decide) => calls.offer(grant, decide),
    told: async (grant, totals) => noteTold(ledger, grant, totals),
    bytes: grant => ledger.bytesOf(grant),
    forget: grant => ledger.forget(grant),
    async stopped(grant) {
      await ledger.open(grant);
      const stop = ledger.stopOf(grant);
      return stop === null ? null : stopResult(stop, wallMs());
    },
    async close() {
      await watch.stop();
      await noted();
      await proxy.close();
      await audit.close();
    },
  };
}

/** Watches over the proxy, and keeps how and where it is: agents that live on after this process expect the next one there. */
async function watchOver(
  proxy: ModelProxy,
  {port, secret}: ProxyFile,
  {stateDirectory, onHealth, wallMs, random, log}: ModelDoorOptions,
): Promise<{readonly watch: ProxyWatch; readonly noted: () => Promise<void>}> {
  let kept = port;
  const keepPort = async (): Promise<void> => {
    if (proxy.port !== kept) await writeProxyFile(stateDirectory, {port: proxy.port, secret});
    kept = proxy.port;
  };
  await keepPort();
  // For whoever looks at this runner from outside: where it cannot be written, that is all that is missing.
  let noted: Promise<void> = Promise.resolve();
  const note = (trouble: string | null): void => {
    const {attempts} = proxy.status();
    const text = {trouble, since_ms: wallMs(), attempts};
    noted = noted
      .then(async () => writeProxyNote(stateDirectory, text))
      .catch(() => log('the state of the model proxy cannot be written'));
  };
  note(null);
  const watch = new ProxyWatch({
    url: () => `http://127.0.0.1:${proxy.port}`,
    onChange: trouble => {
      note(trouble);
      onHealth(trouble);
    },
    heal: async () => {
      log('the model proxy is made anew');
      await proxy.reopen();
      await keepPort();
    },
    nowMs: () => performance.now(),
    random,
  });
  watch.start();
  return {watch, noted: async () => noted};
}

async function spentOf(ledger: Ledger, grant: Grant): Promise<Spent | null> {
  await ledger.open(grant);
  const {usage, turns, cost_micros} = ledger.of(grant);
  if (turns === 0) return null;
  return {
    cost_micros,
    input_tokens: usage.input,
    output_tokens: usage.output,
    cache_read_tokens: usage.cacheRead,
    cache_write_tokens: usage.cacheWrite,
    turns,
  };
}

async function noteTold(
  ledger: Ledger,
  grant: Grant,
  {turns, cost_usd: costUsd, ...tokens}: AgentEventOf<'usage_update'>,
): Promise<void> {
  await ledger.open(grant);
  const usage = {
    input: tokens.input_tokens,
    output: tokens.output_tokens,
    cacheRead: tokens.cache_read_tokens,
    cacheWrite: tokens.cache_write_tokens,
    cacheWriteLong: 0,
  };
  ledger.set(grant, {...ledger.of(grant), usage, turns, cost_micros: Math.round((costUsd ?? 0) * 1_000_000)});
  await ledger.save(grant);
}

async function stored(directory: string): Promise<ProxyFile> {
  const file = await readProxyFile(directory);
  if (file !== undefined) return file;
  const made = {port: 0, secret: randomBytes(32).toString('base64')};
  await writeProxyFile(directory, made);
  return made;
}
