/**
 * Every parser of bytes from outside: the module that holds it, and the suite that tries it with inputs made at random.
 * `inventory.test.ts` fails when a module reads JSON, a schema, binary or encoded text and stands in neither list.
 */
export type Parser = {readonly module: string; readonly parsers: string; readonly suite: string};

const suite = (name: string) => `test/property/${name}.test.ts`;
const [wire, files, text, streams, signed] = [
  suite('wire'),
  suite('runner-files'),
  suite('runner-text'),
  suite('streams'),
  suite('signatures'),
];

export const inventory: readonly Parser[] = [
  {module: 'shared/src/api/api-answer.ts', parsers: 'body and problem of an answer, Retry-After', suite: streams},
  {module: 'shared/src/api/client.ts', parsers: 'answer of every operation', suite: streams},
  {module: 'shared/src/api/dispatch-view.ts', parsers: 'body of an existing dispatcher', suite: wire},
  {module: 'shared/src/api/event-stream.ts', parsers: 'text/event-stream', suite: streams},
  {module: 'shared/src/api/log-follow.ts', parsers: 'events of a log', suite: streams},
  {module: 'shared/src/crypto/attempt-seal.ts', parsers: 'ticket, receipt', suite: signed},
  {module: 'shared/src/crypto/bytes.ts', parsers: 'base64, base64url, hex', suite: signed},
  {module: 'shared/src/crypto/credential.ts', parsers: 'token, enrolment token, key id', suite: signed},
  {module: 'shared/src/crypto/jws.ts', parsers: 'dispatch, exit record, certificate, connect token', suite: signed},
  {module: 'shared/src/crypto/request-signature.ts', parsers: 'Standard Webhooks, X-Dispatch', suite: signed},
  {module: 'shared/src/domain/log-append.ts', parsers: 'offsets of a log', suite: suite('log-chunk')},
  {module: 'shared/src/domain/parse-json.ts', parsers: 'JSON of strangers', suite: suite('deep-json')},
  {module: 'shared/src/domain/task-spec.ts', parsers: 'task spec', suite: wire},
  {module: 'shared/src/protocol/batch.ts', parsers: 'frames of the runner link, both ways', suite: wire},
  {
    module: 'shared/src/protocol/log-control.ts',
    parsers: 'messages of a log, both ways; body and answer by request',
    suite: wire,
  },
  {module: 'shared/src/protocol/log-frame.ts', parsers: 'log frame', suite: suite('log-chunk')},
  {module: 'shared/src/protocol/log-view.ts', parsers: 'messages of a viewer', suite: wire},
  {module: 'worker/src/installation-secrets.ts', parsers: 'secrets and keys of the installation', suite: streams},
  {module: 'worker/src/lease-config.ts', parsers: 'times of the lease', suite: streams},
  {module: 'worker/src/http/body.ts', parsers: 'body of a request', suite: wire},
  {module: 'worker/src/http/known-host.ts', parsers: 'names of hosts', suite: streams},
  {module: 'worker/src/http/validate.ts', parsers: 'every part of every request', suite: wire},
  {module: 'worker/src/routes/log-events.ts', parsers: 'bytes of a log as events', suite: streams},
  {module: 'worker/src/routes/log-form.ts', parsers: 'Accept', suite: streams},
  {module: 'worker/src/tasklog/gzip-member.ts', parsers: 'gzip', suite: suite('log-chunk')},
  {module: 'worker/src/tasklog/viewers.ts', parsers: 'acknowledgement of a viewer', suite: wire},
  {module: 'runner/src/agent/json-lines.ts', parsers: 'lines of the exec driver', suite: text},
  {
    module: 'runner/src/agent/proxy/usage-reader.ts',
    parsers: 'tokens in the answer of a provider',
    suite: suite('usage'),
  },
  {module: 'runner/src/agent/script.ts', parsers: 'script of the bundled agent', suite: text},
  {module: 'runner/src/attempt/line-splitter.ts', parsers: 'output as lines', suite: text},
  {module: 'runner/src/commands/log-lines.ts', parsers: 'log for a terminal', suite: text},
  {module: 'runner/src/commands/task-spec-options.ts', parsers: 'words of a command', suite: text},
  {module: 'runner/src/commands/units.ts', parsers: 'times and counts', suite: text},
  {module: 'runner/src/executor/attempt-name.ts', parsers: 'marks and labels', suite: text},
  {module: 'runner/src/executor/boot-clock.ts', parsers: '/proc/uptime', suite: text},
  {module: 'runner/src/executor/cgroup.ts', parsers: '/proc/mounts, /proc/self/cgroup', suite: text},
  {module: 'runner/src/executor/environment.ts', parsers: 'environment', suite: text},
  {module: 'runner/src/executor/process-table.ts', parsers: '/proc/<pid>/stat, ps', suite: text},
  {
    module: 'runner/src/executor/run-directory.ts',
    parsers: 'meta.json, deadline, exit, killed, pid, agent',
    suite: files,
  },
  {module: 'runner/src/link/enrol.ts', parsers: 'URL of a control plane', suite: text},
  {module: 'runner/src/link/envelope-check.ts', parsers: 'spec in an envelope', suite: suite('journal')},
  {module: 'runner/src/link/frame-batch.ts', parsers: 'events of an agent on their way out', suite: suite('deep-json')},
  {module: 'runner/src/link/refusal.ts', parsers: 'refusal of a server', suite: text},
  {module: 'runner/src/logs/log-cursor.ts', parsers: 'log.cursor', suite: files},
  {module: 'runner/src/logs/log-merge.ts', parsers: 'streams of an attempt', suite: suite('redaction')},
  {module: 'runner/src/logs/redactor.ts', parsers: 'secrets in a stream', suite: suite('redaction')},
  {module: 'runner/src/services/client-file.ts', parsers: 'client.json', suite: files},
  {module: 'runner/src/services/installation-secret.ts', parsers: 'secret of the installation', suite: files},
  {module: 'runner/src/services/port.ts', parsers: 'lsof, ss', suite: text},
  {module: 'runner/src/services/runner-identity.ts', parsers: 'identity.json', suite: files},
  {module: 'runner/src/services/service-record.ts', parsers: '*.pid.json', suite: files},
  {module: 'runner/src/services/up-file.ts', parsers: 'up.json', suite: files},
  {module: 'runner/src/state/journal.ts', parsers: 'rows of the journal', suite: suite('journal')},
  {module: 'runner/src/state/policy-file.ts', parsers: 'policy file and its patterns', suite: files},
  {module: 'runner/src/state/state-lock.ts', parsers: 'runner.pid', suite: files},
  {module: 'runner/src/worktree/branch-name.ts', parsers: 'branch', suite: text},
  {module: 'runner/src/worktree/git.ts', parsers: 'listings and errors of git', suite: text},
  {module: 'runner/src/worktree/record.ts', parsers: 'record of a worktree', suite: files},
  {module: 'runner/src/worktree/repository-url.ts', parsers: 'reference to a repository', suite: text},
];

export type LeftOut = {readonly modules: RegExp; readonly why: string};

export const leftOut: readonly LeftOut[] = [
  {modules: /^worker\/src\/db\/history\.ts$/, why: 'rows that the Fleet delivered'},
  {modules: /^worker\/src\/fleet\//, why: 'rows that the Fleet wrote itself, and ids on their way into a branded type'},
  {
    modules: /^worker\/src\/(?:routes|http)\//,
    why: 'test/worker/property/http-fuzz.test.ts tries every route as a whole',
  },
  {
    modules: /^worker\/src\/tasklog\//,
    why: 'what the Worker vouches for and rows of its own; messages go through the parsers above',
  },
  {modules: /^shared\/src\/domain\/(?:id|charter)\.ts$/, why: 'brands ids; a charter is tried in test/unit/charter'},
  {
    modules: /^shared\/src\/domain\/(?:follow-up|subtask)\.ts$/,
    why: 'a spec that is made of a checked one, through the schema of task specs, which is tried',
  },
  {
    modules: /^shared\/src\/prompts\/(?:read-outcome|report)\.ts$/,
    why: 'words of an agent: outcomes at random in test/unit/prompts, reports by example in test/unit/fleet/agent-calls.test.ts',
  },
  {
    modules: /^shared\/src\/policy\/charter\/project-scripts\.ts$/,
    why: 'package.json of a repository: what is no JSON holds no scripts; by example in test/unit/charter',
  },
  {
    modules: /^runner\/src\/agent\/(?:claude|acp)\//,
    why: 'lines of one agent CLI: the tests of its driver fold them, in test/unit/agent',
  },
  {
    modules: /^runner\/src\/agent\/proxy\//,
    why: 'traffic of an agent through a proxy of its own; by example in test/runner/agent/proxy',
  },
  {
    modules: /^runner\/src\/(?:agent\/(?:machine-charter|model-access|our-tools)|secrets\/[a-z-]+)\.ts$/,
    why: 'files that a command of this program wrote, read by parseJson and a schema that answers instead of throwing',
  },
  {modules: /^runner\/src\/agent\/tracked-files\.ts$/, why: 'an index of git: bytes at random in test/unit/charter'},
  {
    modules: /^runner\/src\/agent\/scripted-agent\.ts$/,
    why: 'an agent, not the runner: it may fail, and its output is tried',
  },
  {
    modules: /^runner\/src\/attempt\/(?:attempt-loop|checks-program|exit-facts|masked-words|reported-event)\.ts$/,
    why: 'JSON that this program made in the line before, or for its own child',
  },
  {
    modules: /^runner\/src\/commands\//,
    why: 'arguments through the parsers above; what fails is shown to the one who typed it',
  },
  {modules: /^runner\/src\/link\/connect-token\.ts$/, why: 'claims that this module makes'},
  {
    modules: /^runner\/src\/link\/poll-carrier\.ts$/,
    why: 'every failure of an exchange ends its session; frames go through decodeBatch',
  },
  {
    modules: /^runner\/src\/logs\/log-poster\.ts$/,
    why: 'every failure of an exchange closes the carrier; the schema is tried',
  },
  {
    modules: /^runner\/src\/services\/(?:installation|service-process)\.ts$/,
    why: 'what this program and its own child say',
  },
  {
    modules: /^runner\/src\/attempt\/(?:agent-home|attempt-models|resource-desk|runaway-watch|turn-gate)\.ts$/,
    why: 'a note of this program, and events that a driver made; what does not fit a schema counts for nothing',
  },
  {modules: /^runner\/src\/state\/(?:journal-schema|disk-full)\.ts$/, why: 'one integer of SQLite'},
  {
    modules: /^shared\/src\/domain\/repository-name\.ts$/,
    why: 'an address that was checked, to be compared; at random in test/unit/shared',
  },
];
